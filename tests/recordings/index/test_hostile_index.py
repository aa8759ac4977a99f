"""An index that came with somebody's recordings: its rows say nothing, and it does nothing."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from recordings.events import UserMessage
from recordings.index.find import find, search
from recordings.index.index import INDEX, RecordingIndex
from recordings.index.schema import TABLES, VERSION
from recordings.reviews.keys import ReviewKeys
from recordings.storage.log import recording_hash
from recordings.store.store import RecordingStore
from tests.fakes.planted_journal import plant_journal
from tests.recordings.recording_sessions import FakeSession, record_session
from tests.sii_cli.shell import Shell

pytestmark = pytest.mark.hostile

_ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT"


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, monkeypatch)


def forged(path: Path, *statements: str) -> None:
    """Put an index of the right schema in place, with something more in it."""
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    for statement in TABLES.split(";\n"):
        db.execute(statement)
    for statement in statements:
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")
    db.close()


def test_a_planted_journal_has_no_file_of_the_host_deleted(shell: Shell, tmp_path: Path) -> None:
    victim = tmp_path / "thesis"
    victim.write_text("years of work")
    folder = shell.recorded()
    plant_journal(shell.store.root / INDEX, victim)
    done = shell.sii("list")
    assert victim.read_text() == "years of work"
    assert folder.name in done.stdout


@pytest.mark.parametrize(
    "statements",
    [
        (
            "DROP TABLE recordings",
            f"CREATE VIEW recordings AS {_ENDLESS} x AS number, 'a' AS id, 0 AS inode FROM c",
        ),
        (
            "DROP TABLE made_by",
            f"CREATE VIEW made_by AS {_ENDLESS} 'x' AS proof FROM c WHERE x < 0",
        ),
        (
            "CREATE TRIGGER t AFTER UPDATE ON recordings BEGIN "
            f"INSERT INTO errors {_ENDLESS} x, 'a', 1 FROM c; END",
        ),
    ],
)
def test_a_planted_index_works_nothing(shell: Shell, statements: tuple[str, ...]) -> None:
    folder = shell.recorded()
    forged(shell.store.root / INDEX, *statements)
    assert folder.name in shell.sii("list").stdout


@pytest.mark.parametrize(
    "lie",
    [
        lambda head: (
            "CREATE TRIGGER t AFTER UPDATE ON recordings WHEN new.head != '' BEGIN INSERT "
            "OR REPLACE INTO verdicts VALUES (new.number, 'ada', '', 1.0, new.head, 'approve'); END"
        ),
        lambda head: "INSERT INTO tags VALUES (1, 'gold', 1)",
        lambda head: "INSERT INTO errors VALUES (1, 'tool_infra', 'many')",
        lambda head: "INSERT INTO made_by VALUES ('')",
        lambda head: (
            "INSERT INTO recordings (id, first_message, steps) VALUES "
            f"('../../secret', '{head}', 'x')"
        ),
    ],
)
def test_rows_that_somebody_planted_say_nothing(shell: Shell, lie: Callable[[str], str]) -> None:
    folder = shell.recorded()
    told = shell.sii("list", "--json").stdout
    forged(shell.store.root / INDEX, lie(recording_hash(folder)))
    assert shell.sii("list", "--json").stdout == told
    assert folder.name not in shell.sii("list", "--approval", "approved").stdout
    assert folder.name not in shell.sii("list", "--tag", "gold").stdout


def test_redaction_works_with_no_index_that_somebody_planted(shell: Shell) -> None:
    """An expression in it would be worked out for every row that goes."""
    folder = shell.recorded(system_prompt="The key is AKIAIOSFODNN7EXAMPLE.")
    forged(shell.store.root / INDEX, "INSERT INTO tags VALUES (99, 'gold', 1)")
    done = shell.sii("redact", folder.name, "--yes", "--speaker", "ann")
    assert "taken out" in done.stdout, done.stderr
    with closing(sqlite3.connect(shell.store.root / INDEX)) as db:
        assert db.execute("SELECT * FROM tags").fetchall() == []


def test_a_copy_of_an_own_index_is_made_again(shell: Shell, tmp_path: Path) -> None:
    """A person who has seen one cannot change it and send it back."""
    shell.recorded()
    path = shell.store.root / INDEX
    with RecordingIndex(shell.store, keys=ReviewKeys(shell.key)) as index:
        index.refresh()
    assert path.stat().st_ino
    with RecordingIndex(shell.store, keys=ReviewKeys(shell.key)) as index:
        assert index.refresh() == 0, "an own one is kept"
    changed = shutil.copy(path, tmp_path / "changed")
    db = sqlite3.connect(changed)
    db.execute("INSERT INTO tags SELECT number, 'gold', 1 FROM recordings")
    db.commit()
    db.close()
    path.rename(tmp_path / "was")
    shutil.copy(changed, path)
    with RecordingIndex(shell.store, keys=ReviewKeys(shell.key)) as index:
        assert index.refresh() == 1
        assert index.db.execute("SELECT * FROM tags").fetchall() == []


def test_a_home_without_a_key_keeps_its_index(shell: Shell) -> None:
    """The first list makes the key: another one each time would make the index each time."""
    RecordingStore(shell.home / "recordings").root.mkdir(parents=True)
    assert shell.sii("list").returncode == 0
    made = (shell.store.root / INDEX).stat().st_ino
    assert shell.sii("list").returncode == 0
    assert (shell.store.root / INDEX).stat().st_ino == made


@pytest.mark.bomb
def test_rows_of_texts_without_an_end_stay_small(tmp_path: Path) -> None:
    store = RecordingStore(tmp_path / "recordings")
    long = "word " * 400_000

    def say(session: FakeSession) -> None:
        session.note(UserMessage(round=1, text=long), "human")
        session.end()

    folder = store.create_folder()[1]
    tags = [f"{number}{long[:100_000]}" for number in range(20)] + ["t"] * 2_000
    record_session(folder, rounds=0, change=say, model=long, query=long, batch=long, tags=tags)
    with RecordingIndex(store) as index:
        index.refresh()
        (one,) = find(index)
        assert next(search(index, "word")).id == folder.name
    texts = [one.summary.first_message, one.summary.model, one.query, one.batch, *one.tags]
    assert max(len(text or "") for text in texts) <= 1 << 18
    assert len(one.tags) <= 1_000


@pytest.mark.parametrize("end", ["-wal", "-journal"])
def test_a_planted_log_of_changes_changes_no_row(shell: Shell, tmp_path: Path, end: str) -> None:
    """SQLite would take it for what a killed process left, and write it into the index."""
    folder = shell.recorded()
    told = shell.sii("list", "--json").stdout
    path = shell.store.root / INDEX
    head = recording_hash(folder)
    lie = f"INSERT INTO verdicts SELECT number, 'ann', '', 1, '{head}', 'approve' FROM recordings"
    copy = Path(shutil.copy(path, tmp_path / "copy"))
    if end == "-wal":
        with closing(sqlite3.connect(copy)) as db:
            db.execute(lie)
            db.commit()
            shutil.copy(f"{copy}{end}", f"{path}{end}")
    else:  # it holds the pages to go back to: those with the lie
        with closing(sqlite3.connect(copy, isolation_level=None)) as db:
            db.execute(lie)
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("PRAGMA cache_spill = 1")
            db.execute("BEGIN IMMEDIATE")
            db.execute("DELETE FROM verdicts")
            shutil.copy(f"{copy}{end}", f"{path}{end}")
            _sync_header(Path(f"{path}{end}"))
    assert shell.sii("list", "--json").stdout == told
    assert folder.name not in shell.sii("list", "--approval", "approved").stdout


def _sync_header(journal: Path) -> None:
    """Write the number of its pages into a journal that was not synced."""
    data = bytearray(journal.read_bytes())
    sector, page = int.from_bytes(data[20:24]), int.from_bytes(data[24:28])
    data[:8] = bytes.fromhex("d9d505f920a163d7")
    data[8:12] = ((len(data) - sector) // (page + 8)).to_bytes(4)
    journal.write_bytes(data)


def test_one_that_others_have_open_is_used_as_it_is(shell: Shell) -> None:
    shell.recorded()
    keys = ReviewKeys(shell.key)
    with RecordingIndex(shell.store, keys=keys) as first:
        first.refresh()
        with RecordingIndex(shell.store, keys=keys) as second:
            assert second.refresh() == 0
        assert first.refresh() == 0
    with RecordingIndex(shell.store, keys=keys) as third:
        assert third.refresh() == 0
