"""The wheel: built from the files of a checkout, it works where there is no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("recordings", "sandbox", "sii_cli", "tools")

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group(__name__)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of what git knows of this checkout."""
    checkout, built = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
    for name in listed.stdout.decode().split("\0"):
        if (ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
    argv = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "-w", str(built), "."]
    subprocess.run(argv, cwd=checkout, check=True)
    (found,) = built.glob("*.whl")
    return found


def test_the_wheel_holds_the_packages_and_nothing_beside_them(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if ".dist-info" not in top and ".data" not in top} == set(PACKAGES)
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert "sandbox/Dockerfile" in names


@pytest.mark.docker
def test_the_installed_wheel_runs_the_demo(wheel: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(ROOT / "scripts" / "try_wheel.sh"), str(wheel)],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "The wheel works" in done.stdout
