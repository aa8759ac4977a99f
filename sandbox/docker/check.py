"""Checks the Docker engine and the sandbox's image."""

from __future__ import annotations

from sandbox.backend_check import BackendCheck
from sandbox.docker.engine import connect
from sandbox.docker.image import is_current
from sandbox.docker.sii_images import build_command
from sandbox.protocol import SandboxUnavailable


def check(image: str) -> list[BackendCheck]:
    """Return what is found of the engine and the image. Blocks."""
    from docker.errors import DockerException, ImageNotFound

    remedy = build_command(image)
    try:
        api = connect().api
    except SandboxUnavailable as error:
        return [BackendCheck("docker", "fail", str(error))]
    try:
        found = [BackendCheck("docker", "ok", f"engine {api.version()['Version']}")]
        inspected = api.inspect_image(image)
        size = f"{image}, {inspected['Size'] / 1e6:.0f} MB"
        if not is_current(inspected["Config"].get("Labels")):
            words = f"{size}, built from another recipe than this version's"
            return [*found, BackendCheck("image", "warn", words, remedy)]
        return [*found, BackendCheck("image", "ok", size)]
    except ImageNotFound:
        return [*found, BackendCheck("image", "fail", f"{image} is not there", remedy)]
    except DockerException as error:
        return [BackendCheck("docker", "fail", str(error))]
    finally:
        api.close()
