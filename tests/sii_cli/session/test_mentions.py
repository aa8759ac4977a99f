"""What a message names with `@`: path and hash, recorded with the message."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from recordings.events import Mention, UserMessage
from recordings.storage.log import read_events
from sii_cli.config.settings import Settings
from sii_cli.session.mentions import mentions_of
from sii_cli.session.session import Session
from tests.fakes.scripted_model import ScriptedModel, answer
from tests.sii_cli.scripted_sii import FakeBackend

HASH = hashlib.sha256(b"x = 1\n").hexdigest()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "work" / "src" / "a b").mkdir(parents=True)
    for name in ("src/a.py", "src/a b/c.py"):
        (tmp_path / "work" / name).write_text("x = 1\n")
    (tmp_path / "work" / "large").write_bytes(b"0" * (2 << 20))
    (tmp_path / "work" / "out").symlink_to("/etc/passwd")
    return tmp_path / "work"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Look at @src/a.py, please", [Mention(path="src/a.py", sha256=HASH)]),
        ("@src/a.py#1-2 and @src/a.py", [Mention(path="src/a.py", sha256=HASH)]),
        ('@"src/a b/c.py"', [Mention(path="src/a b/c.py", sha256=HASH)]),
        ("all of @src/", [Mention(path="src/")]),
        ("@large", [Mention(path="large")]),
        ("@out", [Mention(path="out")]),
        ("@nobody and me@src/a.py", []),
        ("@@src/a.py", []),
        ("@../work/src/a.py @/etc/passwd @\0", []),
    ],
)
def test_what_is_named(workspace: Path, text: str, found: list[Mention]) -> None:
    assert mentions_of(text, workspace) == found


@pytest.mark.parametrize("mode", ["interactive", "headless"])
async def test_it_is_recorded_at_the_prompt(tmp_path: Path, workspace: Path, mode: str) -> None:
    settings = Settings(home=tmp_path, workspace=workspace, snapshots=False)
    session = await Session.open(
        settings,
        mode=mode,  # type: ignore[arg-type]
        model=ScriptedModel(answer("Seen.")),
        backend=FakeBackend(),
    )
    async for _ in session.send("Read @src/a.py"):
        pass
    await session.close()
    assert session.folder is not None
    [said] = [e.data for e in read_events(session.folder) if isinstance(e.data, UserMessage)]
    named = [Mention(path="src/a.py", sha256=HASH)]
    assert said.mentions == (named if mode == "interactive" else None)
    assert said.text == "Read @src/a.py"
