"""Recordings of a batch with nonsense in them: each is passed over, the others count."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from recordings.events import QueryOutcome, SessionEnd, Usage, UserMessage
from recordings.recorder import Recorder
from recordings.store.store import RecordingStore
from recordings.trust.home_key import HomeKey
from sii_cli.batch.plan.pinned import pin
from sii_cli.batch.plan.plan import BatchPlan
from sii_cli.queries.queries import Query
from tests.recordings.recording_sessions import session_start
from tests.sii_cli.commands.test_hostile_recordings import make_nonsense
from tests.sii_cli.shell import Shell

pytestmark = pytest.mark.hostile


def _record(folder: Path, **changes: Any) -> None:
    batch = {"mode": "batch", "batch": "monday", "attempt": 1, "variant": {}}
    recorder = Recorder.create(folder, folder.name)
    recorder.record(session_start(**batch, **changes), "harness")
    recorder.record(UserMessage(round=1, text="Go."), "query")
    recorder.record(QueryOutcome(status="solved", reason="it is"), "harness")
    usage = Usage(prompt_tokens=5, completion_tokens=7)
    end = SessionEnd(status="done", rounds=1, steps=1, usage=usage)
    recorder.record(end, "harness")
    recorder.close()


@pytest.mark.parametrize("seed", range(40))
def test_nonsense_in_a_batchs_recording_hides_no_other(
    shell: Shell, tmp_path: Path, seed: int
) -> None:
    folder = tmp_path / "batch"
    folder.mkdir()
    plan = BatchPlan("monday", "q", "/", "", 1, {}, 0, None, {})
    pin(folder, plan, [Query(id="a", query="Go."), Query(id="b", query="Go.")], HomeKey(bytes(32)))
    store = RecordingStore(folder / "recordings")
    _record(store.create_folder()[1], query="a")
    source = tmp_path / "20991231-235959-aaaaaa"
    source.mkdir()
    _record(source, query="b")
    bad = store.root / source.name
    told = make_nonsense(source, bad, random.Random(seed), places=1 + seed % 3)
    done = shell.sii("batch", "status", "--json", str(folder))
    assert done.returncode == 0, (told, done.stderr)
    report = json.loads(done.stdout)
    first = next(row for row in report["by_query"] if row["query"] == "a")
    assert first["solved"] == 1, told
    assert shell.sii("batch", "status", str(folder)).returncode == 0, told
