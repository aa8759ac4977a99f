"""Others to measure beside: each in a folder of its own, filled when it is asked for."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

PEERS = Path.home() / ".cache" / "sii" / "peers"
MINI_SWE_AGENT = "mini-swe-agent==2.4.*"
HTTPX_AIOHTTP = "httpx-aiohttp==0.2.*"


def mini_swe_agent() -> str:
    """Return a Python that has mini-swe-agent; the first time it is installed."""
    folder = PEERS / "mini-swe-agent"
    python = folder / "bin" / "python"
    if not (folder / ".installed").exists():
        venv.create(folder, with_pip=True, clear=True)
        _install(MINI_SWE_AGENT, folder, str(python))
    return str(python)


def httpx_aiohttp() -> str:
    """Return a folder for `sys.path` that has httpx-aiohttp; the first time it is installed."""
    folder = PEERS / "httpx-aiohttp"
    if not (folder / ".installed").exists():
        _install(HTTPX_AIOHTTP, folder, sys.executable, "--target", str(folder))
    return str(folder)


def _install(package: str, folder: Path, python: str, *options: str) -> None:
    sys.stderr.write(f"Installing {package} in {folder} (a minute)\n")
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, *options, package], check=True)
    (folder / ".installed").touch()
