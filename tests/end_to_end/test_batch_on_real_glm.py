"""A batch on a real vLLM and real sandboxes: twenty sessions, eight at once, every one exact."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from recordings.events import ModelResponse
from recordings.storage.log import read_events
from recordings.store.store import RecordingStore
from recordings.verify import verify
from tests.recordings.data_of import data_of
from tests.sii_cli.terminal import clean_environment
from tests.tiny_glm.conversations import BUGFIX, COMPUTE, COUNTING, UNICODE
from tests.tiny_glm.observe import make_workspace
from tests.tiny_glm.server import TinyGlmServer

pytestmark = [pytest.mark.docker, pytest.mark.vllm, pytest.mark.slow]

CONVERSATIONS = (BUGFIX, COMPUTE, COUNTING, UNICODE)


def test_twenty_sessions_eight_at_once_are_all_exact(
    tiny_glm_server: TinyGlmServer, tmp_path: Path
) -> None:
    lines = []
    for conversation in CONVERSATIONS:
        make_workspace(conversation, tmp_path / conversation.name)
        first, *followups = [round_.user for round_ in conversation.rounds]
        query = {"id": conversation.name, "query": first, "followups": followups}
        lines.append(json.dumps(query | {"workspace": conversation.name}) + "\n")
    (tmp_path / "queries.jsonl").write_text("".join(lines))

    batch = ("batch", "queries.jsonl", "-n", "5", "--concurrency", "8", "--out", "out")
    done = subprocess.run(
        [sys.executable, "-m", "sii_cli.main", *batch, "--temperature", "0"],
        cwd=tmp_path,
        env=clean_environment()
        | tiny_glm_server.environment
        | {"SII_HOME": str(tmp_path / "home"), "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    recordings = list(RecordingStore(tmp_path / "out" / "recordings").list())
    assert Counter((one.query, one.outcome) for one in recordings) == {
        (conversation.name, "unchecked"): 5 for conversation in CONVERSATIONS
    }
    for one in recordings:
        verified = verify(one.folder)
        assert verified.whole
        assert verified.ids > 0
        [conversation] = [known for known in CONVERSATIONS if known.name == one.query]
        responses = data_of(read_events(one.folder), ModelResponse)
        said = [(response.content or "").strip() for response in responses]
        wanted = [step.content for round_ in conversation.rounds for step in round_.steps]
        assert said == wanted
