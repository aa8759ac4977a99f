"""Samples of sessions that went any way: redacted, without ids, damaged, with wild arguments."""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recordings.errors import RecordingDamaged
from recordings.events import (
    Compaction,
    Flag,
    IdSpan,
    MessageSpan,
    ModelError,
    RawGeneration,
    SentTurn,
    SessionResume,
    SummaryRequest,
    SummaryResponse,
)
from recordings.redaction.redactor import Redactor
from recordings.redaction.rewrite import redact
from recordings.redaction.secrets import SecretFinder
from recordings.samples.build import samples_of
from recordings.samples.policy import SamplePolicy
from recordings.storage.log import LOG
from tests.fakes.fake_tokenizer import CONTROL_TOKENS, decode, encode
from tests.recordings.samples.test_samples import STOP_TOKENS, read, runs
from tests.recordings.samples.told_session import ToldSession, two_rounds

SECRET = "correct-horse-battery"


def test_a_sample_ends_before_redacted_ids(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", {"command": "ls"}, "a.py"))
    told.step("", ("bash", {"command": "env"}, f"KEY={SECRET}"))
    told.step("Seen.")
    told.user("And?")
    told.step("Nothing.")
    told.end()
    redact(tmp_path / "s", Redactor(SecretFinder({"KEY": SECRET})), by="ada")
    samples, left_out = read(tmp_path / "s")
    assert [run for one in samples for run in runs(one)] == told.generated[:2]
    assert not any(-1 in one.ids for one in samples)
    assert [one.reason for one in left_out] == ["redacted", "redacted"]


def test_what_a_redaction_took_from_the_model_is_not_trained(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step(f"It is {SECRET}.")
    told.end()
    redact(tmp_path / "s", Redactor(SecretFinder({"KEY": SECRET})), by="ada")
    samples, left_out = read(tmp_path / "s")
    assert samples == []
    assert [one.reason for one in left_out] == ["redacted", "no_trained_token"]


def test_without_ids_a_round_is_a_sample_of_text(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", {"command": "ls"}, "a.py"), ids=False)
    told.step("Done.", ids=False)
    told.user("Thanks.")
    told.step("Welcome.", ids=False)
    told.end()
    samples, left_out = read(tmp_path / "s", SamplePolicy(by="text"))
    assert [one.ids for one in samples] == [[], []]
    assert [[turn.trained for turn in one.turns if turn.step] for one in samples] == [
        [True, True],
        [False, False, True],
    ]
    assert left_out == []
    samples, left_out = read(tmp_path / "s")
    assert samples == []
    whole = ["ids_missing", "ids_missing", "no_trained_token", "ids_missing", "no_trained_token"]
    assert [one.reason for one in left_out] == whole


@pytest.mark.parametrize(
    "raw", ['{"n": 030}', "[1]", "", '{"a":1,"a":2}', '{"n": 1e5}', '{"n": -0}', '{"n": NaN}', "{"]
)
def test_arguments_that_do_not_read_back_are_trained_by_ids_alone(tmp_path: Path, raw: str) -> None:
    """Rendered again, `030` becomes `30`, a key that stands twice stands once, no object `{}`."""
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", raw, "?"))
    told.step("Done.")
    told.end()
    samples, left_out = read(tmp_path / "s")
    assert [run for one in samples for run in runs(one)] == told.generated
    assert left_out == []
    *_, last = read(tmp_path / "s", SamplePolicy(by="text"))[0]
    assert [turn.trained for turn in last.turns if turn.step] == [False, True]
    out = read(tmp_path / "s", SamplePolicy(by="text"))[1][0]
    assert (out.reason, out.step) == ("not_expressible", 1)


def test_a_step_without_ids_is_context_of_those_with_ids(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", {"command": "ls"}, "a.py"))
    told.step("", ("bash", {"command": "cat a.py"}, "a"), ids=False)
    told.step("Done.")
    told.end()
    (sample,), (out,) = read(tmp_path / "s")
    assert runs(sample) == told.generated
    assert "cat a.py" in decode(sample.ids)
    assert (out.reason, out.step) == ("ids_missing", 2)


def test_failed_and_interrupted_attempts_never_enter(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.request()
    told.note(
        ModelError(
            step=1, attempt=1, kind="interrupted", message="", content="half", generated_ids=[7, 8]
        ),
        "human",
    )
    told.steps -= 1
    told.step("Whole.")
    told.end()
    (sample,), _ = read(tmp_path / "s")
    assert runs(sample) == told.generated
    assert "half" not in str(sample.turns)


def test_ids_that_a_line_repeats_are_still_an_extension(tmp_path: Path) -> None:
    """Breaks are found by comparing ids: `keep` may say less than is so."""
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", {"command": "ls"}, "a.py"))
    stood = told.trail.expand(told.trail.span([*told.trail._ids, 1]))[:-1]
    told.trail._ids = stood[:5]  # as if only five ids were remembered
    told.step("Done.")
    told.end()
    (sample,), _ = read(tmp_path / "s")
    assert runs(sample) == told.generated


def test_another_model_begins_another_sample(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", {"command": "ls"}, "a.py"))
    told.note(SessionResume(sii_version="0", model="GLM-5", base_url="http://m"), "harness")
    told.step("Done.")
    told.end()
    first, second = read(tmp_path / "s")[0]
    assert [first.model, second.model] == ["GLM", "GLM-5"]
    assert [runs(first), runs(second)] == [told.generated[:1], told.generated[1:]]


def test_a_changed_recording_gives_no_samples(tmp_path: Path) -> None:
    two_rounds(tmp_path / "s")
    log = tmp_path / "s" / LOG
    log.write_bytes(log.read_bytes().replace(b"Two at once.", b"Two at last."))
    with pytest.raises(RecordingDamaged, match=r"was changed after it was written"):
        list(samples_of(tmp_path / "s"))


def test_ids_that_reach_too_far_back_are_damage(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("One.", prompt_ids={"keep": 5, "new": []})
    told.end()
    with pytest.raises(RecordingDamaged, match="keeps 5 ids, but only 0 stood"):
        list(samples_of(tmp_path / "s"))


def test_ids_that_reach_too_far_back_later_are_damage(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", {}, "a"))
    told.step("Done.", prompt_ids={"keep": 5000, "new": [1]})
    told.end()
    with pytest.raises(RecordingDamaged, match="keeps 5000 ids"):
        list(samples_of(tmp_path / "s"))


def summed_up(
    folder: Path, summary: str = "So far: there is a.py."
) -> tuple[ToldSession, list[int]]:
    """A session whose history was replaced by a summary; also what the summary's ids are."""
    told = ToldSession.create(folder)
    asked = told.user("Go.")
    told.step("", ("bash", {"command": "ls"}, "a.py"))
    said = encode("There is a.py.<|user|>")
    request = SummaryRequest(
        step=1,
        attempt=1,
        request_id="sii-s",
        messages=MessageSpan(keep=2, new=[asked.seq + 2, asked.seq + 4]),
        instruction="Sum it up.",
        messages_sha256="",
        params={},
    )
    told.note(request, "compaction")
    response = SummaryResponse(
        step=1,
        attempt=1,
        content="There is a.py.",
        finish_reason="stop",
        complete=True,
        summary=summary,
        prompt_ids=IdSpan(keep=len(told.trail), new=[7, 8]),
        generated_ids=said,
    )
    noted = told.note(response, "compaction")
    compaction = Compaction(
        cause="full",
        kind="summary",
        messages=MessageSpan(keep=2, new=[noted.seq]),
        before=9,
        after=5,
    )
    told.note(compaction, "compaction")
    told.replace([0, asked.seq, noted.seq])
    told.step("Done.")
    told.end()
    return told, said


def test_a_summary_is_no_step_of_the_history(tmp_path: Path) -> None:
    told, said = summed_up(tmp_path / "s")
    samples, (out,) = read(tmp_path / "s")
    assert [runs(one) for one in samples] == [told.generated[:1], told.generated[1:]]
    assert "So far: there is a.py." in decode(samples[1].ids)
    assert (out.reason, out.step) == ("compaction", 1)
    samples, left_out = read(tmp_path / "s", SamplePolicy(compaction="train"))
    assert [run for one in samples for run in runs(one)] == [said, *told.generated]
    assert left_out == []
    assert [turn.message["role"] for turn in samples[0].turns[-3:]] == [
        "tool",
        "system",
        "assistant",
    ]


def test_an_attempt_at_a_summary_that_is_none_is_never_trained(tmp_path: Path) -> None:
    """Such as a call of a tool where a summary was asked for."""
    told, _ = summed_up(tmp_path / "s", summary="")
    samples, (out,) = read(tmp_path / "s", SamplePolicy(compaction="train"))
    assert [run for one in samples for run in runs(one)] == told.generated
    assert (out.reason, out.detail) == ("compaction", "it is no summary")  # words: allow


@pytest.mark.parametrize(
    ("flag", "by_ids", "by_text"),
    [
        ("calls_differ", False, False),
        ("call_unterminated", False, False),
        ("written_turn", False, False),
        ("logprobs_missing", True, True),
        ("content_differs", True, False),
        ("text_moved", True, False),
        ("whitespace_differs", True, True),
    ],
)
def test_a_doubt_that_came_after_the_response_counts(
    tmp_path: Path, flag: Flag, by_ids: bool, by_text: bool
) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("One.", ("bash", {}, "a"))
    told.note(RawGeneration(step=1, attempt=1, flags=[flag], text="One"), "model")
    told.step("Done.")
    told.end()
    for by, counts in (("ids", by_ids), ("text", by_text)):
        (sample,), left_out = read(tmp_path / "s", SamplePolicy(by=by))  # type: ignore[arg-type]
        assert len(sample.keys) == 1 + counts
        assert [(one.reason, one.detail) for one in left_out] == [("flagged", flag)] * (not counts)


def test_what_goes_back_defused_is_trained_by_ids_alone(tmp_path: Path) -> None:
    """What a model wrote and what it reads of it differ: text could only train one of them."""
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step(
        "The token <|user|> ends it.", sent=SentTurn(content="The token <|user\u2060|> ends it.")
    )
    told.end()
    assert read(tmp_path / "s")[0][0].keys
    samples, (out, _) = read(tmp_path / "s", SamplePolicy(by="text"))
    assert (samples, out.reason) == ([], "not_expressible")


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
WILD_TEXT = TEXT | st.sampled_from([*CONTROL_TOKENS, "030", "1e5", "True", "null", "</arg_value>"])
WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WILD_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WILD_TEXT, inner, max_size=3),
    max_leaves=6,
)
RAW = st.sampled_from(['{"n": 030}', '{"n":1e5}', "{", "", "[1]", '{"a":1,"a":2}', "\\ud800"])
CALL = st.tuples(st.just("bash"), st.dictionaries(WILD_TEXT, WILD, max_size=3) | RAW, WILD_TEXT)
STEP = st.tuples(WILD_TEXT, WILD_TEXT, st.lists(CALL, max_size=2))
ROUNDS = st.lists(st.tuples(WILD_TEXT, st.lists(STEP, min_size=1, max_size=4)), max_size=3)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rounds=ROUNDS)
def test_whatever_was_said_the_mask_is_on_what_was_generated_and_each_once(
    rounds: list[Any],
) -> None:
    with TemporaryDirectory() as root:
        folder = Path(root) / "s"
        told = ToldSession.create(folder)
        for asked, steps in rounds:
            told.user(asked)
            for reasoning, content, calls in steps:
                told.step(content, *map(_storable, calls), reasoning=reasoning)
        told.end()
        samples, left_out = read(folder)
    assert left_out == []
    trained = [id_ for one in samples for run in runs(one) for id_ in run]
    assert trained == [id_ for ids in told.generated for id_ in ids]
    for sample in samples:
        assert sample.ids[-1] in STOP_TOKENS
        assert sample.mask()[-1] == 1
        assert sum(sample.mask()) == sample.trained
        assert re.match(r"\[gMASK\]<sop><\|system\|>", decode(sample.ids))


def _storable(call: tuple[Any, ...]) -> tuple[Any, ...]:
    """Integers of any size do not go through `orjson`; a model may write them all the same."""
    name, given_arguments, observed = call
    if isinstance(given_arguments, dict):
        given_arguments = json.dumps(given_arguments)
    return name, given_arguments, observed
