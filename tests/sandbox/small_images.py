"""Images of a few megabytes, made without a registry from what the sandbox's image holds."""

from __future__ import annotations

import subprocess

from sandbox.docker.image import TAG

_COLLECT = r"""
set -e
python=$(python3 -c 'import sys; print(sys.executable)')
library=$(python3 -c 'import os; print(os.path.dirname(os.__file__))')
programs=""
for name in "$@"; do programs="$programs $(command -v $name)"; done
libraries=$(ldd $python $library/lib-dynload/*.so $programs 2>/dev/null \
    | grep -v ':$' | grep -o '/[^ ]*' | sort -u)
tar -ch --ignore-failed-read --exclude=__pycache__ --exclude='*-packages' --exclude=config-* \
    --exclude=test --exclude=idlelib --exclude=ensurepip --exclude=tkinter \
    --transform="s,^${python#/}\$,usr/bin/python3," \
    $python $library $programs $libraries /etc/passwd /etc/group 2>/dev/null
"""


def python_and(name: str, *programs: str) -> str:
    """Make an image with python3, these programs and nothing else; return its name."""
    return _import(name, python_and_tar(*programs))


def python_and_tar(*programs: str) -> bytes:
    """Return what `python_and` imports."""
    collect = ["docker", "run", "--rm", "--network=none", TAG, "sh", "-c", _COLLECT, "sh"]
    return subprocess.run([*collect, *programs], capture_output=True, check=True).stdout


def empty(name: str) -> str:
    """Make an image without a program."""
    tar = subprocess.run(["tar", "-c", "-T", "/dev/null"], capture_output=True, check=True).stdout
    return _import(name, tar)


def remove(name: str) -> None:
    """Remove an image."""
    subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=False)


def _import(name: str, tar: bytes) -> str:
    subprocess.run(["docker", "import", "-", name], input=tar, capture_output=True, check=True)
    return name
