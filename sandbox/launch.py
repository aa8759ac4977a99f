"""What every backend needs to launch a runner: its command line, its settings, its workspace."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from sandbox.protocol import WORKSPACE, SandboxSpec, SandboxUnavailable

RUNNER = Path(__file__).parent / "runner"
"""Mounted read-only at `MOUNTED`."""
MOUNTED = "/opt/sii/runner"
DIRECTORY = "/run/sii"
"""The supervisor's own small tmpfs."""
DIRECTORY_SIZE = 16 << 20
HELLO_TIMEOUT = 30.0
"""Seconds that a runner may take until it says hello."""

_BOOT = "import sys; sys.path.insert(0, '/opt/sii'); from runner.supervisor import main; main()"


def command_line(spec: SandboxSpec, python: str = "python3") -> list[str]:
    """Return the argv of the runner."""
    limits = spec.limits
    config = {
        "workspace": WORKSPACE,
        "directory": DIRECTORY,
        "output": limits.output,
        "disk": limits.disk,
        "open_files": limits.open_files,
        "file_size": limits.file_size,
        "env": spec.env,
    }
    return [python, "-I", "-S", "-B", "-c", _BOOT, json.dumps(config)]


def tmp_size(spec: SandboxSpec) -> int:
    """Return the size of /tmp: well below the memory limit, for its pages count as memory."""
    return min(spec.limits.tmp, spec.limits.memory // 2)


def real_workspace(path: Path) -> Path:
    """Return the real path of a directory that exists. Raises `SandboxUnavailable`."""
    try:
        workspace = path.expanduser().resolve(strict=True)
        mode = workspace.stat().st_mode
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SandboxUnavailable(
            f"The workspace {path} cannot be used: {reason}. Make it, or give another with "
            "--workspace."
        ) from None
    if not stat.S_ISDIR(mode):
        raise SandboxUnavailable(f"The workspace {path} is not a directory.")
    return workspace
