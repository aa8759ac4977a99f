"""Answers that a round cannot go on from are told to the model, and end the round in the end."""

from __future__ import annotations

import pytest

from recordings.events import CallRequest, ModelResponse
from sii_cli.agent.round_control import RoundOver
from sii_cli.agent.unusable_responses import MOST_IN_A_ROW, UnusableResponses

CALL = CallRequest(index=0, call_id="1", name="bash", arguments="{}")


def response(**changes: object) -> ModelResponse:
    fields: dict[str, object] = {
        "step": 1,
        "attempt": 1,
        "content": "Fine.",
        "finish_reason": "stop",
        "complete": True,
    }
    return ModelResponse.model_validate(fields | changes)


GOOD = [
    response(),
    response(content="", calls=[CALL], finish_reason="tool_calls"),
]
UNUSABLE = [
    (response(finish_reason="length", complete=False), "cut_off", "cut_off"),
    (
        response(finish_reason="stop", complete=False, flags=["ended_at_limit"]),
        "cut_off",
        "cut_off",
    ),
    (response(finish_reason="abort", complete=False), "stopped", "infra"),
    (response(finish_reason="content_filter", complete=False), "stopped", "failed"),
    (response(flags=["call_not_parsed"]), "call_not_parsed", "failed"),
    (response(content="", reasoning="I am done."), "empty", "empty"),
    (response(content=" \n"), "empty", "empty"),
    (response(content=None), "empty", "empty"),
]


@pytest.mark.parametrize("good", GOOD)
def test_an_answer_and_a_call_are_usable(good: ModelResponse) -> None:
    assert UnusableResponses().step(good) is None


@pytest.mark.parametrize(("unusable", "reason", "status"), UNUSABLE)
def test_an_unusable_response_is_told_and_then_ends_the_round_with_its_own_status(
    unusable: ModelResponse, reason: str, status: str
) -> None:
    responses = UnusableResponses()
    for _ in range(MOST_IN_A_ROW - 1):
        note = responses.step(unusable)
        assert note is not None
        assert note.reason == reason
    with pytest.raises(RoundOver) as over:
        responses.step(unusable)
    assert over.value.status == status
    assert "3 times in a row" in over.value.reason


def test_only_what_was_cut_off_is_told_as_cut_off() -> None:
    aborted = UnusableResponses().step(response(finish_reason="abort", complete=False))
    assert aborted is not None
    assert "stopped by the server before it ended (abort)" in aborted.text
    assert "cut off" not in aborted.text


def test_a_good_answer_between_starts_the_count_again() -> None:
    responses = UnusableResponses()
    told = [responses.step(each) for each in (UNUSABLE[0][0], UNUSABLE[5][0], GOOD[1]) * 3]
    reasons = [note and note.reason for note in told]
    assert reasons == ["cut_off", "empty", None] * 3
