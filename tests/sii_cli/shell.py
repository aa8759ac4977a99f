"""A shell in which tests run `sii`, with a home and a workspace of its own."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recordings.store.store import RecordingStore
from recordings.trust.first_start import working_key
from recordings.trust.home_key import HomeKey
from sii_cli.main import main
from sii_cli.session import session
from tests.recordings.recording_sessions import record_session
from tests.sii_cli.scripted_sii import pretend
from tests.sii_cli.terminal import Terminal, clean_environment


@dataclass(frozen=True)
class Done:
    """What a command printed, and how it exited."""

    stdout: str
    stderr: str
    returncode: int


class Shell:
    """Runs `sii` with a home and a workspace of its own."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = root / "home"
        self.workspace = root / "workspace"
        self.workspace.mkdir()
        self._patch = monkeypatch
        for name in [name for name in os.environ if name.startswith("SII_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("SII_HOME", str(self.home))
        monkeypatch.chdir(self.workspace)

    def sii(self, *args: str, script: str | None = None, stdin: str = "", **env: str) -> Done:
        """Run a command in this process; with `script` the model is a scripted one."""
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in "12")
        with self._patch.context() as patch:
            for name, value in env.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["sii", *args])
            typed = io.BytesIO(stdin.encode(errors="surrogateescape"))
            patch.setattr(sys, "stdin", io.TextIOWrapper(typed, "utf-8"))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            if script is not None:
                patch.setattr(session, "make_model", None)  # so that they are put back
                patch.setattr(session, "make_backend", None)
                pretend(script)
            with pytest.raises(SystemExit) as left:
                main()
        texts = [stream.buffer.getvalue().decode() for stream in (out, err)]
        assert isinstance(left.value.code, int)
        return Done(texts[0], texts[1], left.value.code)

    def argv(self, *args: str, script: str | None = None) -> list[str]:
        """Return the command line of a process of its own."""
        module = ["sii_cli.main"] if script is None else ["tests.sii_cli.scripted_sii", script]
        return [sys.executable, "-m", *module, *args]

    @property
    def env(self) -> dict[str, str]:
        return {**clean_environment(), "SII_HOME": str(self.home)}

    def terminal(self, *args: str, script: str, **env: str) -> Terminal:
        return Terminal(self.argv(*args, script=script), cwd=self.workspace, env=self.env | env)

    @property
    def store(self) -> RecordingStore:
        return RecordingStore(self.home / "recordings")

    @property
    def key(self) -> HomeKey:
        """The key of the home: what is recorded with it is the home's own."""
        return working_key(self.home)

    def last(self) -> Path:
        """The newest recording's folder."""
        return self.store.resolve("last")

    def recorded(self, **options: Any) -> Path:
        """Make a recording without running a session (`record_session`)."""
        _, folder = self.store.create_folder()
        record_session(folder, **{"key": self.key, **options})
        return folder
