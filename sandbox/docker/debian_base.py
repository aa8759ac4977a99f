"""The base of the sandbox's image: a registry's Python image, or a Debian made by debootstrap."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.host_programs import find_program
from sandbox.protocol import SandboxUnavailable

if TYPE_CHECKING:
    import docker

RECIPE_LABEL = "sii.recipe"
"""Label holding the hash of everything that an image was built from."""
REGISTRY_BASE = "python:3.12-slim"
DEBIAN_BASE = "sii-sandbox-base"
DEBIAN_FALLBACK = "bookworm"
"""Release to bootstrap on a host that is not Debian itself."""
DEBIAN_PACKAGES = ("ca-certificates", "python3", "python3-pip", "python3-venv")
REGISTRY_SILENCE = 20
"""Seconds without a word from the registry after which it counts as unreachable."""

Progress = Callable[[str], None]
"""Called with one line about what is being done."""


def base_parts() -> list[bytes]:
    """Return what decides the base but for the versions of what is in it."""
    return [REGISTRY_BASE.encode(), " ".join(DEBIAN_PACKAGES).encode()]


def ensure_base(client: docker.DockerClient, progress: Progress) -> str:
    """Return the name of the base, which is pulled or made when it is not there.

    Raises `SandboxUnavailable`.
    """
    if client.images.list(REGISTRY_BASE) or _pull(REGISTRY_BASE, progress):
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
    recipe = _base_recipe(release, mirror)
    if any(one.labels.get(RECIPE_LABEL) == recipe for one in client.images.list(name)):
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
        label = f"LABEL {RECIPE_LABEL}={recipe}"
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
    """Return where the host's apt gets `release`; `None` means debootstrap's default."""
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


def _run(command: list[str]) -> None:
    program = find_program(command[0])
    if program is None:
        raise SandboxUnavailable(f"`{command[0]}` is not installed here: install it.")
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-10:])
        raise SandboxUnavailable(f"`{command[0]}` failed; its last words tell why:\n{tail}")
