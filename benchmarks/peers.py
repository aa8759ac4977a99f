"""Other agents to measure beside: each in an environment of its own, made when it is asked for."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

PEERS = Path.home() / ".cache" / "sii" / "peers"
MINI_SWE_AGENT = "mini-swe-agent==2.4.*"


def mini_swe_agent() -> str:
    """Return a Python that has mini-swe-agent; the first time it is installed."""
    folder = PEERS / "mini-swe-agent"
    python = folder / "bin" / "python"
    if not (folder / ".installed").exists():
        sys.stderr.write(f"Installing {MINI_SWE_AGENT} in {folder} (a minute)\n")
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, MINI_SWE_AGENT], check=True)
        (folder / ".installed").touch()
    return str(python)
