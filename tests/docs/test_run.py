"""The commands that documents show are run, where no model, engine or terminal is needed for it.

All are parsed, see `test_commands.py`; the tutorial is run from end to end, see `test_tutorial.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from glob import glob
from pathlib import Path

import pytest

from recordings.trust.first_start import working_key
from sii_cli.config.settings import BATCH_FILE
from tests.docs.parsing import find
from tests.docs.shown import DOCUMENTS, ROOT, Command, commands_in_blocks
from tests.fakes.consenting import consented
from tests.recordings.recording_sessions import record_session
from tests.sii_cli.shell import Shell

PARSED_ONLY = {
    "sii": "a model server",
    "run": "a model server",
    "batch run": "a model server; `--validate` and `--schema` are run",
    "batch status": "a batch",
    "inbox open": "a terminal that answers",
    "inbox reply": "a session that waits",
    "inbox done": "a session that waits",
    "serve": "vLLM",
    "doctor": "a model server",
    "demo": "an engine; the tutorial runs it",
    "sandbox build": "an engine",
    "sandbox images": "an engine",
    "sandbox doctor": "an engine",
    "sandbox reap": "an engine",
    "diff": "snapshots; the tutorial runs it",
}
"""Commands that are parsed and not run, and what they would need."""
LINES_PARSED_ONLY = {
    "sii replay last --execute": "snapshots and an engine; the tutorial runs it",
    "sii replay last --execute --workspace ../as-it-was": "an engine",
    "sii fork 20261123-2049 --at 14 --workspace ../copy": "snapshots",
    "sii fork last --at 14 --edit": "an editor",
    "sii trust 20261123-2049": "a terminal that answers",
    "sii trust --all --reviews --home runs/monday": "a terminal that answers",
    "sii adopt runs/monday": "a terminal that answers",
    "sii adopt runs/monday --home limi-78": "a terminal that answers",
    "sii people add ada ed25519:8a88e3dd74…": "a whole key",
    "sii people add ann ed25519:8f2b…": "a whole key",
    "sii redact 20261123-2049 --variable DB_PASSWORD": "a variable with a secret",
    "sii export data --format tokens --tokenizer ~/models/GLM-4.5-Air": "a model's folder",
    "sii inspect-sample last --tokenizer ~/models/GLM-4.5-Air": "a model's folder",
    "sii inspect-sample last --sample 2 --full": "a recording with two samples",
    "sii export data --format preference": "a rejected fork beside the approved one",
    "sii export data --format preference --home runs/monday --pairs runs/monday/pairs.jsonl": (
        "sessions of a batch"
    ),
}
"""Single lines of the other commands, in the same way."""
FINDS_NOTHING = 1
"""What `sii search` may return here."""
FILES = {
    "queries.jsonl": '{"id": "a", "query": "Say hello."}\n',
    "rubric.txt": "Does it check its work?\n",
    "better.txt": "%%% content\nAnother answer.\n",
    "train.jsonl": '{"messages": [{"role": "user", "content": "Hi."}, '
    '{"role": "assistant", "content": "Hello."}]}\n',
    "trajectory.json": '{"messages": [{"role": "user", "content": "Hi."}]}\n',
    ".sii/config.toml": 'system_prompt = "prompt.md"\n',
    "prompt.md": "You are an agent.\n",
}
DATA_SETS = ("films", "imdb")


def _lines() -> dict[str, Command]:
    """Return the different lines of all documents but the tutorial."""
    documents = [ROOT / "docs/tutorial.md", ROOT / "docs/reference/exports.md"]
    shown = [
        one
        for document in DOCUMENTS
        if document not in documents
        for one in commands_in_blocks(document)
        if one.words[0] == "sii"
    ]
    return {" ".join((*one.variables, *one.words)): one for one in shown}


LINES = _lines()


def _run() -> Iterator[str]:
    for line, command in LINES.items():
        inner, name, _ = find(command.words)
        names = {name, f"{command.words[1]} {name}" if len(command.words) > 1 else "", inner.name}
        runs_nothing = {"--validate", "--schema"} & set(command.words)
        if (runs_nothing or not names & set(PARSED_ONLY)) and line not in LINES_PARSED_ONLY:
            yield line


@pytest.mark.parametrize("line", list(_run()))
def test_a_shown_command_works(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = Shell(tmp_path, monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SII_SPEAKER", "ann")
    consented(shell.home, "ann")
    for home in (shell.home, shell.workspace / "runs/monday"):
        for name in ("20261123-204950-a3f9c2", "20261124-091500-0b1c2d"):
            folder = home / "recordings" / name
            folder.mkdir(parents=True)
            record_session(folder, key=working_key(shell.home), query="q7")
    for name, text in FILES.items():
        path = shell.workspace / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (shell.workspace / "runs/monday" / BATCH_FILE).write_text("{}")
    for name in DATA_SETS:
        (tmp_path / "sets" / name).mkdir(parents=True)
        (tmp_path / "sets" / name / "2026.csv").write_text("film,words\n")
    assert shell.sii("approve", "last").returncode == 0

    command = LINES[line]
    if "limi-78" in command.words[2:] and command.words[1] != "init":
        assert shell.sii("init", "limi-78").returncode == 0
    if command.words[1:3] in (("data", "show"), ("data", "remove")):
        for name in DATA_SETS:
            assert shell.sii("data", "add", name, str(tmp_path / "sets" / name)).returncode == 0
    typed = [os.path.expanduser(word) for word in command.words[1:]]
    words = [one for word in typed for one in glob(word) or [word]]  # as a shell does
    done = shell.sii(*words, **dict(one.split("=", 1) for one in command.variables))

    allowed = (0, FINDS_NOTHING) if words[:1] == ["search"] else (0,)
    assert done.returncode in allowed, done.stderr


def test_every_exception_is_shown_somewhere() -> None:
    assert set(LINES_PARSED_ONLY) <= set(LINES)
