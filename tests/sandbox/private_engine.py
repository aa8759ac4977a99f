"""A Docker engine of a test's own, which may be killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.sandbox import small_images

STARTED_WITHIN = 60.0


class PrivateEngine:
    """dockerd on a socket of its own, with nothing in common with the machine's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        names = ("data-root", "exec-root", "pidfile")
        places = [argument for name in names for argument in (f"--{name}", f"{self.folder}/{name}")]
        switches = ["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"]
        with (self.folder / "log").open("ab") as log:
            # In a network of its own: an engine without a bridge removes the machine's `docker0`.
            self._process = subprocess.Popen(
                ["unshare", "--net", "dockerd", "--host", self.host, *places, *switches],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + STARTED_WITHIN
        while subprocess.run([*self.docker, "version"], capture_output=True).returncode != 0:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.1)

    @property
    def docker(self) -> list[str]:
        return ["docker", "--host", self.host]

    def end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None
        # A new engine takes even a dead containerd for its own until init has collected it.
        with suppress(FileNotFoundError):
            containerd = (self.folder / "exec-root/containerd/containerd.pid").read_text().strip()
            deadline = time.monotonic() + STARTED_WITHIN
            while Path("/proc", containerd).exists() and time.monotonic() < deadline:
                time.sleep(0.05)

    def containers(self) -> list[str]:
        listed = subprocess.run(
            [*self.docker, "ps", "-aq"], capture_output=True, text=True, check=True
        )
        return listed.stdout.split()

    def mounts(self) -> list[str]:
        """Mount points of containers."""
        lines = Path("/proc/self/mounts").read_text().splitlines()
        return [line for line in lines if f"{self.folder}/data-root/overlay" in line]

    def processes(self) -> list[str]:
        """Command lines of containers' shims."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                if "containerd-shim" in line and str(self.folder) in line:
                    found.append(line)
        return found


@pytest.fixture
def engine(sandbox_image: str) -> Iterator[PrivateEngine]:
    """A private engine with a small image named `small`."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("an engine of its own needs root and dockerd")
    folder = Path(tempfile.mkdtemp(prefix="sii-"))  # short: a socket's path has 108 bytes
    engine = PrivateEngine(folder)
    try:
        engine.start()
        tar = small_images.python_and_tar("bash", "sleep")
        subprocess.run(
            [*engine.docker, "import", "-", "small"], input=tar, check=True, capture_output=True
        )
        yield engine
    finally:
        engine.end(signal.SIGTERM)
        subprocess.run(["umount", str(folder / "data-root")], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)
