"""`import recordings`: which names it offers, what they cost, and the steps that they rebuild."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import recordings
from recordings import read_events, read_steps
from recordings.conversation.messages import chain_message, encode_message
from recordings.errors import RecordingDamaged
from recordings.events import ModelResponse
from recordings.storage.log import LOG
from tests.recordings.recording_sessions import record_session
from tests.sii_cli.terminal import clean_environment

RECORDINGS = sorted((Path(__file__).parents[1] / "fixtures" / "recordings").iterdir())


def test_these_names_are_offered() -> None:
    assert recordings.__all__ == [
        "Event",
        "LeftOut",
        "RecordingError",
        "RecordingStore",
        "RecordingSummary",
        "Review",
        "Sample",
        "SamplePolicy",
        "Step",
        "excluded_events",
        "read_events",
        "read_reviews",
        "read_steps",
        "recording_hash",
        "samples_of",
        "summarise",
    ]
    for name in recordings.__all__:
        assert getattr(recordings, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        recordings.nothing  # noqa: B018


def test_the_package_imports_a_name_when_it_is_used() -> None:
    code = (
        "import sys, recordings\n"
        "assert not [name for name in sys.modules if name.startswith('recordings.')]\n"
        "recordings.RecordingStore\n"
        "print('pydantic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize("folder", RECORDINGS, ids=lambda folder: folder.name)
def test_each_step_is_rebuilt_as_it_was_sent(folder: Path) -> None:
    responses = [one for one in read_events(folder) if isinstance(one.data, ModelResponse)]
    steps = list(read_steps(folder))
    assert [step.seq for step in steps] == [event.seq for event in responses]
    for step, event in zip(steps, responses, strict=True):
        assert step.response == event.data
        sent = {"messages": step.messages, "tools": step.tools, **step.request.params}
        assert step.body() == sent
        called = [call.call_id for call in step.calls]
        assert called == [call.call_id for call in step.response.calls]
        usage = step.response.usage
        if step.prompt_ids is not None and step.generated_ids is not None:
            assert usage is not None
            assert len(step.prompt_ids) == usage.prompt_tokens
            assert len(step.generated_ids) == usage.completion_tokens
        if "redact" not in _types(folder):
            assert _hash(step.messages) == step.request.messages_sha256


def test_a_step_whose_messages_are_not_there_is_damage(tmp_path: Path) -> None:
    def skip(session: object) -> None:
        session._new = [99]  # type: ignore[attr-defined]
        session.request()  # type: ignore[attr-defined]
        session.end()  # type: ignore[attr-defined]

    record_session(tmp_path, rounds=1, change=skip)
    with pytest.raises(RecordingDamaged, match="messages that are not in the recording"):
        list(read_steps(tmp_path))
    assert (tmp_path / LOG).exists()


def _types(folder: Path) -> str:
    return " ".join(event.type for event in read_events(folder))


def _hash(messages: list[dict[str, object]]) -> str:
    sha256 = ""
    for message in messages:
        sha256 = chain_message(sha256, encode_message(message))
    return sha256
