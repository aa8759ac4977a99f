"""The sandbox's images: built where they are needed, from a registry's Python image or from Debian.

`python -m sandbox.docker.image [NAME]` builds one. What goes in is its Dockerfile's business.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sandbox.docker.debian_base import RECIPE_LABEL, Progress, base_parts, ensure_base
from sandbox.docker.sii_images import BASE, REPOSITORY, SII_IMAGES, short_name_of
from sandbox.protocol import SandboxUnavailable

if TYPE_CHECKING:
    import docker

TAG = SII_IMAGES[BASE].tag
NAME_LABEL = "sii.image"
"""Label holding the short name of the image of sii's that one is, or is built on."""

CERTIFICATES = Path("/usr/local/share/ca-certificates")
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")
_OWN_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image of sii's on this machine, or one that could be built."""

    name: str
    """The short name; of the user's own image all of its name."""
    tag: str
    state: Literal["ready", "outdated", "missing"]
    size: int | None = None
    """Bytes."""
    digest: str | None = None
    holds: str = ""


def ensure_image(name: str = BASE, progress: Progress = lambda _: None) -> str:
    """Build one of sii's images unless one of the same recipe is there; return its id.

    Raises `SandboxUnavailable`.
    """
    client = _connect()
    present = _find(client, SII_IMAGES[name].tag)
    if present is not None and present.labels.get(RECIPE_LABEL) == recipe(name):
        return str(present.id)
    return build_image(name, progress)


def is_current(labels: Mapping[str, str] | None) -> bool:
    """Tell whether an image with these labels is up to date; a foreign one always is.

    One that is built on an image of sii's has its labels, and is as old as that.
    """
    labels = labels or {}
    built_from, name = labels.get(RECIPE_LABEL), labels.get(NAME_LABEL, BASE)
    return built_from is None or (name in SII_IMAGES and built_from == recipe(name))


def build_image(name: str = BASE, progress: Progress = lambda _: None) -> str:
    """Build one of sii's images, and `base` before it unless that is up to date; return its id.

    Takes one to five minutes from nothing. Raises `SandboxUnavailable`.
    """
    tag = SII_IMAGES[name].tag
    if name == BASE:
        base = ensure_base(_connect(), progress)
    else:
        ensure_image(BASE, progress)
        base = TAG
    labels = {RECIPE_LABEL: recipe(name), NAME_LABEL: name}
    return _build(tag, _dockerfile(name), base, labels, progress)


def build_own(
    name: str, dockerfile: Path, base: str = BASE, progress: Progress = lambda _: None
) -> str:
    """Build `sii-sandbox:NAME` from the user's Dockerfile; return its id.

    Its `ARG BASE` is the image that `base` is the short name of. Raises `SandboxUnavailable`.
    """
    if not _OWN_NAME.fullmatch(name) or name == "latest" or name in SII_IMAGES:
        raise SandboxUnavailable(
            f"An image of your own cannot be called {name!r}: choose up to 40 small letters, "
            f"digits and hyphens, and none of {', '.join(SII_IMAGES)}, latest."
        )
    if not dockerfile.is_file():
        raise SandboxUnavailable(f"There is no Dockerfile {dockerfile}: check the path.")
    ensure_image(base, progress)
    return _build(f"{REPOSITORY}:{name}", dockerfile, SII_IMAGES[base].tag, {}, progress)


def list_images() -> list[BuiltImage]:
    """Return sii's images, built or not, then the user's own. Raises `SandboxUnavailable`."""
    found = {tag: image for image in _connect().images.list(REPOSITORY) for tag in image.tags}
    own = [tag for tag in sorted(found) if short_name_of(tag) is None]
    tags = [one.tag for one in SII_IMAGES.values()]
    return [_built(tag, found.get(tag)) for tag in [*tags, *own]]


def _built(tag: str, image: Any | None) -> BuiltImage:
    name = short_name_of(tag)
    holds = SII_IMAGES[name].holds if name else ""
    if image is None:
        return BuiltImage(name or tag, tag, "missing", holds=holds)
    if name is None and NAME_LABEL in image.labels:
        holds = f"your own, on {image.labels[NAME_LABEL]}"
    return BuiltImage(
        name=name or tag,
        tag=tag,
        state="ready" if is_current(image.labels) else "outdated",
        size=int(image.attrs["Size"]),
        digest=str(image.id),
        holds=holds,
    )


def recipe(name: str = BASE) -> str:
    """Return the hash of everything that goes into an image but the base's own versions."""
    parts = [NAME_LABEL.encode(), _dockerfile(BASE).read_bytes(), *base_parts()]
    if name != BASE:
        parts.append(_dockerfile(name).read_bytes())
    parts += [path.read_bytes() for path in _host_certificates()]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _build(
    tag: str, dockerfile: Path, base: str, labels: dict[str, str], progress: Progress
) -> str:
    client = _connect()
    progress(f"Building {tag} on {base} (one to four minutes)")
    stream = client.api.build(
        fileobj=io.BytesIO(_build_context(dockerfile)),
        custom_context=True,
        encoding="gzip",
        tag=tag,
        buildargs={"BASE": base} | _proxies(),
        labels=labels,
        network_mode="host",
        rm=True,
        forcerm=True,
        decode=True,
    )
    _follow_build(stream, progress)
    built = _find(client, tag)
    if built is None:
        raise SandboxUnavailable(f"The build of {tag} ended without an image; run it again.")
    return str(built.id)


def _connect() -> docker.DockerClient:
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=600)
        client.ping()
    except DockerException as error:
        raise SandboxUnavailable(
            "No Docker engine answers: start it (`make engine` installs and starts one as root), "
            "or join the docker group if it runs."
        ) from error
    return client


def _find(client: docker.DockerClient, tag: str) -> Any | None:
    from docker.errors import ImageNotFound

    try:
        return client.images.get(tag)
    except ImageNotFound:
        return None


def _host_certificates() -> list[Path]:
    return sorted(CERTIFICATES.glob("*.crt"))


def _build_context(dockerfile: Path) -> bytes:
    """Return the context as tar.gz: the Dockerfile, and in host/ what this machine needs."""
    files = {"Dockerfile": dockerfile.read_bytes(), "host/pip.conf": _pip_settings().encode()}
    for path in _host_certificates():
        files[f"host/certificates/{path.name}"] = path.read_bytes()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        folder = tarfile.TarInfo("host/certificates")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _pip_settings() -> str:
    """Return a pip.conf with the host's settings that hold inside a build (no local paths)."""
    listing = subprocess.run(
        [sys.executable, "-I", "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
    )
    kept: dict[str, str] = {}
    for line in sorted(listing.stdout.splitlines(), key=lambda line: line.startswith(":env:")):
        key, _, quoted = line.partition("=")
        setting = key.rpartition(".")[2]
        if setting in PIP_SETTINGS:
            values = str(ast.literal_eval(quoted)).split()
            kept[setting] = " ".join(v for v in values if not v.startswith(("file:", "/")))
    return "\n".join(
        ["[global]", *(f"{key} = {value}" for key, value in kept.items() if value), ""]
    )


def _proxies() -> dict[str, str]:
    """Return the host's proxies as build arguments; Docker keeps these out of the image."""
    names = [n for name in PROXY_VARIABLES for n in (name, name.upper())]
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def _dockerfile(name: str) -> Path:
    """Return an image's Dockerfile; that of `base` is at the top of a checkout, or in sandbox/."""
    here = Path(__file__).resolve().parent
    top = here.parents[1]
    places = [top / "Dockerfile", top / "sandbox" / "Dockerfile"]
    for path in places if name == BASE else [here / "images" / f"{name}.Dockerfile"]:
        if path.is_file():
            return path
    raise SandboxUnavailable(f"The Dockerfile of {name} is missing: install sii again.")


def _follow_build(stream: Iterator[dict[str, Any]], progress: Progress) -> None:
    tail: list[str] = []
    for message in stream:
        text = str(message.get("stream", "")).strip()
        if text.startswith("Step ") and " : RUN " in text:
            progress(f"  {' '.join(text.split())[:90]} …")
        if text:
            tail = [*tail[-9:], text]
        if "error" in message:
            details = "\n".join([*tail, str(message["error"]).strip()])
            raise SandboxUnavailable(
                "The sandbox image could not be built; the build's last words tell why:\n" + details
            )


def main() -> int:
    """Build an image from the command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.docker.image", description=__doc__)
    parser.add_argument("name", nargs="?", default=BASE, choices=SII_IMAGES, help="which image")
    parser.add_argument("--rebuild", action="store_true", help="build even when it is up to date")
    options = parser.parse_args()
    began = time.monotonic()

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    make = build_image if options.rebuild else ensure_image
    try:
        image = make(options.name, say)
    except SandboxUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    say(
        f"{SII_IMAGES[options.name].tag} is ready ({image[7:19]}, {time.monotonic() - began:.0f} s)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
