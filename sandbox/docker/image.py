"""The sandbox's image: built where it is needed, from a registry's Python image or from Debian.

`python -m sandbox.docker.image` builds it. What goes in is the Dockerfile's business.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.host_programs import find_program
from sandbox.protocol import SandboxUnavailable

if TYPE_CHECKING:
    import docker

TAG = "sii-sandbox:latest"
RECIPE_LABEL = "sii.recipe"
"""Label holding the hash of everything that the image was built from."""

REGISTRY_BASE = "python:3.12-slim"
DEBIAN_BASE = "sii-sandbox-base"
DEBIAN_FALLBACK = "bookworm"
"""Release to bootstrap on a host that is not Debian itself."""
DEBIAN_PACKAGES = ("ca-certificates", "python3", "python3-pip", "python3-venv")
REGISTRY_SILENCE = 20
"""Seconds without a word from the registry after which it counts as unreachable."""

CERTIFICATES = Path("/usr/local/share/ca-certificates")
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")

Progress = Callable[[str], None]
"""Called with one line about what is being done."""


def ensure_image(tag: str = TAG, progress: Progress = lambda _: None) -> str:
    """Build the image unless one of the same recipe is there; return its id.

    Raises `SandboxUnavailable`.
    """
    client = _connect()
    present = _find(client, tag)
    if present is not None and present.labels.get(RECIPE_LABEL) == recipe():
        return str(present.id)
    return build_image(tag, progress)


def is_current(labels: Mapping[str, str] | None) -> bool:
    """Tell whether an image with these labels is up to date; a foreign one always is."""
    built_from = (labels or {}).get(RECIPE_LABEL)
    return built_from is None or built_from == recipe()


def build_image(tag: str = TAG, progress: Progress = lambda _: None) -> str:
    """Build the image; return its id. Takes about two minutes from nothing.

    Raises `SandboxUnavailable`.
    """
    client = _connect()
    base = _ensure_base(client, progress)
    progress(f"Building {tag} on {base} (one to two minutes)")
    stream = client.api.build(
        fileobj=io.BytesIO(_build_context()),
        custom_context=True,
        encoding="gzip",
        tag=tag,
        buildargs={"BASE": base} | _proxies(),
        labels={RECIPE_LABEL: recipe()},
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


def recipe() -> str:
    """Return the hash of everything that goes into the image but the base's own versions."""
    parts = [_dockerfile().read_bytes(), REGISTRY_BASE.encode(), " ".join(DEBIAN_PACKAGES).encode()]
    parts += [path.read_bytes() for path in _host_certificates()]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


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


def _ensure_base(client: docker.DockerClient, progress: Progress) -> str:
    if _find(client, REGISTRY_BASE) or _pull(REGISTRY_BASE, progress):
        return REGISTRY_BASE
    return _bootstrap_base(client, progress)


def _pull(reference: str, progress: Progress) -> bool:
    """Pull an image; return False when the registry cannot be reached or does not serve it."""
    import docker
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    progress(f"Pulling {reference}")
    repository, _, tag = reference.partition(":")
    client = docker.from_env(timeout=REGISTRY_SILENCE)
    try:
        for message in client.api.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in message:
                return False
    except (DockerException, RequestException):
        return False
    finally:
        client.close()
    return True


def _bootstrap_base(client: docker.DockerClient, progress: Progress) -> str:
    """Make a Debian base with debootstrap, on the host's own release and mirror."""
    release, mirror = _host_debian()
    name = f"{DEBIAN_BASE}:{release}"
    present = _find(client, name)
    if present is not None and present.labels.get(RECIPE_LABEL) == _base_recipe(release, mirror):
        return name
    _provide_debootstrap(progress)
    progress(f"No registry answers: bootstrapping Debian {release} instead (about a minute)")
    with tempfile.TemporaryDirectory(prefix="sii-base-") as folder:
        root = Path(folder) / "root"
        archive = Path(folder) / "root.tar"
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(DEBIAN_PACKAGES)}"]
        _run([*command, release, str(root), *([mirror] if mirror else [])])
        for wasted in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man"):
            shutil.rmtree(root / wasted, ignore_errors=True)
        _run(["tar", "-C", str(root), "--numeric-owner", "-cf", str(archive), "."])
        label = f"LABEL {RECIPE_LABEL}={_base_recipe(release, mirror)}"
        client.api.import_image_from_file(
            str(archive), repository=DEBIAN_BASE, tag=release, changes=[label]
        )
    return name


def _base_recipe(release: str, mirror: str | None) -> str:
    text = "\n".join((release, mirror or "", *DEBIAN_PACKAGES))
    return hashlib.sha256(text.encode()).hexdigest()


def _provide_debootstrap(progress: Progress) -> None:
    if os.geteuid() != 0:
        raise SandboxUnavailable(
            "No registry answers and debootstrap needs root: run `make sandbox` as root once, "
            "or make a registry reachable."
        )
    if find_program("debootstrap") is not None:
        return
    if find_program("apt-get") is None:
        raise SandboxUnavailable(
            "No registry answers and debootstrap is missing: install it, "
            "or make a registry reachable."
        )
    progress("Installing debootstrap with apt-get")
    _run(["apt-get", "update", "-qq"])
    _run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", "debootstrap"])


def _host_debian() -> tuple[str, str | None]:
    """Return the release and mirror to bootstrap: the host's own when it is a Debian."""
    import platform

    system = platform.freedesktop_os_release()
    if system.get("ID") != "debian" or "VERSION_CODENAME" not in system:
        return DEBIAN_FALLBACK, None
    release = system["VERSION_CODENAME"]
    return release, _host_mirror(release)


def _host_mirror(release: str) -> str | None:
    """Return the address from which the host's apt gets `release`; None: debootstrap's default."""
    listing = subprocess.run(
        [
            find_program("apt-get") or "/usr/bin/apt-get",
            "indextargets",
            "--format",
            "$(CREATED_BY) $(RELEASE) $(COMPONENT) $(REPO_URI)",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in listing.stdout.splitlines():
        kind, suite, component, *address = line.split()
        if (kind, suite, component) == ("Packages", release, "main") and address:
            return address[0]
    return None


def _host_certificates() -> list[Path]:
    return sorted(CERTIFICATES.glob("*.crt"))


def _build_context() -> bytes:
    """Return the context as tar.gz: the Dockerfile, and in host/ what this machine needs."""
    files = {"Dockerfile": _dockerfile().read_bytes(), "host/pip.conf": _pip_settings().encode()}
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


def _dockerfile() -> Path:
    """Return the Dockerfile: at the top of a checkout, or inside the installed package."""
    here = Path(__file__).resolve().parents[1]
    for path in (here.parent / "Dockerfile", here / "Dockerfile"):
        if path.is_file():
            return path
    raise SandboxUnavailable("The sandbox's Dockerfile is missing: install sii again.")


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


def _run(command: list[str]) -> None:
    program = find_program(command[0])
    if program is None:
        raise SandboxUnavailable(f"`{command[0]}` is not installed here: install it.")
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-10:])
        raise SandboxUnavailable(f"`{command[0]}` failed; its last words tell why:\n{tail}")


def main() -> int:
    """Build the image from the command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.docker.image", description=__doc__)
    parser.add_argument("--tag", default=TAG, help=f"name of the image (default {TAG})")
    parser.add_argument("--rebuild", action="store_true", help="build even when it is up to date")
    options = parser.parse_args()
    began = time.monotonic()

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    make = build_image if options.rebuild else ensure_image
    try:
        image = make(options.tag, say)
    except SandboxUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    say(f"{options.tag} is ready ({image[7:19]}, {time.monotonic() - began:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
