"""`sii scan` finds secrets in recordings, and `sii redact` takes them out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recordings.events import ModelRequest, Redaction
from recordings.storage.log import LOG, read_events
from recordings.verify import verify
from tests.recordings.recording_sessions import FakeSession
from tests.sii_cli.shell import Shell

KEY = "zq8Kd2-hX7wPb4Tn"


@pytest.fixture
def folder(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recording in which a key was said, between two in which none was."""
    monkeypatch.setenv("SII_SPEAKER", "ada")

    def tell(session: FakeSession) -> None:
        session.round(1, message=f"the key is {KEY}")
        session.end()

    shell.recorded()
    folder = shell.recorded(change=tell)
    shell.recorded()
    return folder


def test_a_scan_names_secrets_and_their_places_and_repeats_no_value(
    shell: Shell, folder: Path
) -> None:
    assert shell.sii("scan").returncode == 0
    done = shell.sii("scan", SII_API_KEY=KEY)
    assert done.returncode == 1
    assert f"{folder.name}  SII_API_KEY (known)  in 1 event: " in done.stdout
    assert done.stdout.endswith("2 of 3 recordings are without secrets.\n")
    facts = json.loads(shell.sii("scan", folder.name, "--json", SII_API_KEY=KEY).stdout)
    assert (facts["id"], facts["name"], facts["how"]) == (folder.name, "SII_API_KEY", "known")
    assert KEY not in done.stdout + json.dumps(facts)


def test_a_redaction_takes_them_out_and_voids_approvals(shell: Shell, folder: Path) -> None:
    shell.sii("approve", folder.name)
    done = shell.sii("redact", folder.name, "--variable", "OLD", "--yes", OLD=KEY)
    assert done.returncode == 0, done.stderr
    assert f"{folder.name}  OLD taken out of " in done.stdout
    assert "reviewed by ada: that verdict no longer holds" in done.stderr
    assert KEY not in (folder / LOG).read_text()
    assert "the key is ‹redacted:OLD›" in shell.sii("show", folder.name).stdout
    assert verify(folder).whole
    assert shell.sii("scan", "--variable", "OLD", OLD=KEY).returncode == 0
    again = shell.sii("redact", folder.name, "--variable", "OLD", "--yes", OLD=KEY)
    assert "no secrets found" in again.stdout


def test_a_fork_of_what_was_redacted_says_so_and_is_whole(shell: Shell, folder: Path) -> None:
    shell.sii("redact", folder.name, "--variable", "OLD", "--yes", OLD=KEY)
    *_, request = (e.seq for e in read_events(folder) if isinstance(e.data, ModelRequest))
    child = folder
    for _ in range(2):  # a fork, and a fork of that
        shell.sii("fork", child.name, "--at", str(request))
        child = shell.last()
        found = verify(child)
        assert found.whole, found.problems
        assert any("redacted" in note for note in found.notes)
        told = next(e.data for e in read_events(child) if isinstance(e.data, Redaction))
        assert max(told.seqs) <= request
        assert (
            f'"id": "{child.name}", "outcome": null, "state": "forked"'
            in shell.sii("list", "--json").stdout
        )
    shell.sii("fork", folder.name, "--at", "0")  # nothing was taken out of that
    assert not any(isinstance(e.data, Redaction) for e in read_events(shell.last()))


def test_a_redacted_session_ended_as_it_did(shell: Shell, folder: Path) -> None:
    def said() -> list[Any]:
        one = next(one for one in shell.store.list() if one.id == folder.name)
        rows = map(json.loads, shell.sii("list", "--json").stdout.splitlines())
        listed = next(row for row in rows if row["id"] == folder.name)
        fields = ("status", "duration", "steps", "rounds")
        return [getattr(one, name) for name in fields] + [listed[name] for name in listed]

    before = said()
    assert shell.sii("redact", folder.name, "--variable", "OLD", "--yes", OLD=KEY).returncode == 0
    assert said() == before


def test_nothing_is_done_without_being_asked(shell: Shell, folder: Path) -> None:
    before = (folder / LOG).read_bytes()
    done = shell.sii("redact", folder.name, SII_API_KEY=KEY)
    assert done.returncode == 2
    assert "say --yes" in done.stderr
    assert (folder / LOG).read_bytes() == before


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["redact"], "Missing argument 'ID'"),
        (["redact", "last", "--variable", "NO_SUCH"], "The variable 'NO_SUCH' is not set"),
        (["scan", "1999"], "No recording is called"),
    ],
)
def test_misuse_is_one_sentence(shell: Shell, folder: Path, args: list[str], says: str) -> None:
    done = shell.sii(*args)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
