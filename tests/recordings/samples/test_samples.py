"""A recording's samples: ids as served, trained exactly on what the model generated."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.events import (
    IdSpan,
    MessageSpan,
    Observation,
    SummaryRequest,
    SummaryResponse,
    UserMessage,
)
from recordings.samples.build import samples_of
from recordings.samples.policy import SamplePolicy
from recordings.samples.sample import LeftOut, Sample
from recordings.storage.log import read_events
from tests.fakes.fake_tokenizer import decode, id_of
from tests.recordings.samples.told_session import ToldSession, two_rounds

STOP_TOKENS = {id_of("<|user|>"), id_of("<|observation|>")}


def read(folder: Path, *args: object, **options: object) -> tuple[list[Sample], list[LeftOut]]:
    """A recording's samples, and what is left out."""
    found = list(samples_of(folder, *args, **options))  # type: ignore[arg-type]
    samples = [one for one in found if isinstance(one, Sample)]
    return samples, [one for one in found if isinstance(one, LeftOut)]


def runs(sample: Sample) -> list[list[int]]:
    """The stretches of ids that the mask trains on."""
    found: list[list[int]] = []
    before = 0
    for one, is_trained in zip(sample.ids, sample.mask(), strict=True):
        if is_trained and not before:
            found.append([])
        if is_trained:
            found[-1].append(one)
        before = is_trained
    return found


def test_the_mask_is_one_on_exactly_what_was_generated(tmp_path: Path) -> None:
    told = two_rounds(tmp_path / "s")
    samples, left_out = read(tmp_path / "s")
    assert left_out == []
    assert [run for sample in samples for run in runs(sample)] == told.generated


def test_a_multi_round_conversation_is_not_one_sample(tmp_path: Path) -> None:
    two_rounds(tmp_path / "s")
    first, second = read(tmp_path / "s")[0]
    assert decode(first.ids).startswith("[gMASK]<sop><|system|>You are an agent.<|user|>The test")
    assert decode(first.ids).endswith("<think>Done.</think>Mended.<|user|>")
    # The template has dropped the reasoning of the first round, so its steps are context here.
    assert "<think></think>Mended.<|user|>What was it?" in decode(second.ids)
    assert [decode(run) for run in runs(second)] == ["<think>Short.</think>A minus sign.<|user|>"]
    assert second.ids[: len(first.ids)] != first.ids


def test_every_step_trains_its_stop_token(tmp_path: Path) -> None:
    two_rounds(tmp_path / "s")
    for sample in read(tmp_path / "s")[0]:
        assert {run[-1] for run in runs(sample)} <= STOP_TOKENS


def test_spans_cover_the_ids_and_lead_to_the_events(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    asked = told.user("Go.")
    first = told.step("", ("bash", {"command": "ls"}, "a.py"))
    last = told.step("Done.")
    told.end()
    (sample,) = read(tmp_path / "s")[0]
    ends = [0, *(span.end for span in sample.spans)]
    assert [span.start for span in sample.spans] == ends[:-1]
    assert ends[-1] == len(sample.ids)
    assert [(span.seq, span.kind, span.trained) for span in sample.spans] == [
        (first.seq, "prompt", False),
        (first.seq, "generated", True),
        (last.seq, "prompt", False),
        (last.seq, "generated", True),
    ]
    assert sample.spans[0].sources == (0, asked.seq)
    assert sample.spans[2].sources == (first.seq + 2,)


def test_the_last_answer_is_in_the_sample(tmp_path: Path) -> None:
    two_rounds(tmp_path / "s")
    first, second = read(tmp_path / "s")[0]
    assert first.turns[-1].message["content"] == "Mended."
    assert second.turns[-1].message["content"] == "A minus sign."
    assert [turn.trained for turn in second.turns if turn.step] == [False, False, False, True]


def test_an_excluded_step_is_context(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", {"command": "ls"}, "a.py"))
    wrong = told.step("", ("bash", {"command": "rm a.py"}, ""))
    told.step("Done.")
    told.end()
    for seq in (wrong.seq, wrong.seq - 1, wrong.seq + 1, wrong.seq + 2):  # and what belongs to it
        (sample,), (out,) = read(tmp_path / "s", excluded={seq})
        assert runs(sample) == [told.generated[0], told.generated[2]]
        assert (out.reason, out.step, out.seq) == ("excluded", 2, wrong.seq)
    assert decode(told.generated[1]) in decode(sample.ids)


def test_a_steer_does_not_end_the_exclusion_of_its_round(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    asked = told.user("Look.")
    told.step("", ("bash", {"command": "ls"}, "a.py"))
    told.note(UserMessage(round=1, text="Hurry.", delivery="steer"), "human")
    told.step("Done.")
    told.recorder.close()
    samples, left_out = read(tmp_path / "s", excluded={asked.seq})
    assert samples == []
    assert [one.step for one in left_out if one.reason == "excluded"] == [1, 2]


def test_an_excluded_user_message_excludes_its_round(tmp_path: Path) -> None:
    told = two_rounds(tmp_path / "s")
    samples, left_out = read(tmp_path / "s", excluded={1})
    assert [run for sample in samples for run in runs(sample)] == told.generated[3:]
    assert [one.reason for one in left_out] == ["excluded"] * 3 + ["no_trained_token"]


def test_a_tail_that_is_not_trained_is_cut(tmp_path: Path) -> None:
    told = two_rounds(tmp_path / "s")
    last = 12
    (first, *_), _ = read(tmp_path / "s", excluded={last})
    whole = read(tmp_path / "s")[0][0]
    assert runs(first) == told.generated[:2]
    assert first.ids == whole.ids[: len(first.ids)]
    assert first.ids[-len(told.generated[1]) :] == told.generated[1]
    assert first.spans[-1].end == len(first.ids)
    assert first.turns[-1].trained


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"complete": False, "finish_reason": "length"}, "cut_off"),
        ({"flags": ["ids_count_differs"]}, "flagged"),
        ({"flags": ["call_not_parsed"]}, "flagged"),
        ({"flags": ["redacted"]}, "redacted"),
        ({"stop_reason": 7}, "stop_token_missing"),
        ({"generated_ids": None}, "ids_missing"),
        ({"generated_ids": []}, "ids_missing"),
    ],
)
def test_a_doubtful_step_is_left_out_with_its_reason(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", {"command": "ls"}, "a.py"))
    told.step("Done.", **changes)
    told.end()
    (sample,), (out,) = read(tmp_path / "s")
    assert runs(sample) == told.generated[:1]
    assert (out.reason, out.step) == (reason, 2)


def test_a_harmless_flag_keeps_a_step(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("Done.", flags=["usage_missing"])
    told.end()
    assert len(read(tmp_path / "s")[0]) == 1


def test_failed_calls_count_unless_the_policy_says_otherwise(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", {"command": "oops"}, "not found"), error="exit")
    told.step("Done.")
    told.end()
    assert runs(read(tmp_path / "s")[0][0]) == told.generated
    (sample,), (out,) = read(tmp_path / "s", SamplePolicy(failed_calls="mask"))
    assert runs(sample) == told.generated[1:]
    assert (out.reason, out.detail) == ("failed_call", "exit")


def test_a_step_that_repeats_itself_does_not_count(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", {"command": "ls"}, "a.py"))
    told.step("", ("bash", {"command": "ls"}, "a.py"))
    told.harness("You made the same call twice.")
    told.step("Done.")
    told.end()
    (sample,), (out,) = read(tmp_path / "s")
    assert (runs(sample), out.reason) == ([told.generated[0], told.generated[2]], "repeated")
    assert runs(read(tmp_path / "s", SamplePolicy(repeated="train"))[0][0]) == told.generated


def test_steps_that_go_on_in_a_circle_after_the_note_do_not_count(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    for command in ("pwd", "ls", "cat a", "ls", "cat a", "ls", "cat a"):
        told.step("", ("bash", {"command": command}, "the same"))
    told.harness("You go in circles.")
    told.step("", ("bash", {"command": "ls"}, "the same"))
    told.step("", ("bash", {"command": "cat a"}, "the same"))
    told.step("", ("bash", {"command": "make"}, "done"))
    told.step("", ("bash", {"command": "ls"}, "another"))
    told.step("Done.")
    told.end()
    (sample,), left_out = read(tmp_path / "s")
    assert [out.reason for out in left_out] == ["repeated"] * 3
    assert runs(sample) == told.generated[:6] + told.generated[9:]


def test_a_compaction_breaks_the_stretch_and_its_summary_is_not_trained(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    asked = told.user("Go.")
    told.step("", ("bash", {"command": "ls"}, "a.py"))
    summary = told.step("There is a.py.", origin="compaction")
    told.replace([0, asked.seq, summary.seq])
    told.step("Done.")
    told.end()
    (first, second), (out,) = read(tmp_path / "s")
    assert (runs(first), runs(second)) == ([told.generated[0]], [told.generated[2]])
    assert (out.reason, out.seq) == ("compaction", summary.seq)
    policy = SamplePolicy(compaction="train")
    assert [runs(one) for one in read(tmp_path / "s", policy)[0]] == [
        told.generated[:2],
        told.generated[2:],
    ]


def test_text_by_an_annotator_is_trained_masked_or_dropped(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", {"command": "ls"}, "a.py"))
    told.step("", ("bash", {"command": "cat a.py"}, "a"), origin="annotator")
    told.step("Done.")
    told.end()
    one, two, three = told.generated
    for human_text, trained in (
        ("train", [one, two, three]),
        ("mask", [one, three]),
        ("drop", [one]),
    ):
        samples, _ = read(tmp_path / "s", SamplePolicy(human_text=human_text))  # type: ignore[arg-type]
        assert runs(samples[0]) == trained


def test_a_fork_does_not_train_its_parents_steps_again(tmp_path: Path) -> None:
    told = two_rounds(tmp_path / "parent")
    fork = ToldSession.fork(tmp_path / "parent", 5, tmp_path / "fork")
    fork.harness("Try another way.", "undo")
    fork.step("Another way.")
    fork.end()
    parent = read(tmp_path / "parent")[0]
    alone = read(tmp_path / "fork")[0]
    assert [run for one in alone for run in runs(one)] == [told.generated[0], *fork.generated]
    claimed = {key for sample in parent for key in sample.keys}
    samples, (out,) = read(tmp_path / "fork", claimed=claimed)
    assert [run for one in samples for run in runs(one)] == fork.generated
    assert (out.reason, out.step) == ("trained_in_parent", 1)


def outage(told: ToldSession) -> None:
    told.step("", ("web_search", {"query": "x"}, "It failed."), error="tool_infra")


def test_what_follows_an_outage_in_its_round_is_context(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", {"command": "ls"}, "a.py"))
    outage(told)
    told.step("", ("bash", {"command": "ls"}, "b.py"))
    told.step("Smith et al. show it.")
    told.end()
    (sample,), left_out = read(tmp_path / "s")
    assert runs(sample) == told.generated[:2]
    assert [(out.reason, out.step) for out in left_out] == [
        ("after_outage", 3),
        ("after_outage", 4),
    ]
    (whole,), none = read(tmp_path / "s", SamplePolicy(after_outage="train"))
    assert (runs(whole), none) == (told.generated, [])
    assert whole.ids[: len(sample.ids)] == sample.ids


def test_a_summary_after_an_outage_is_not_trained_with_the_summaries(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    outage(told)
    asked = SummaryRequest(
        step=2,
        attempt=1,
        request_id="r",
        messages=MessageSpan(keep=2, new=[]),
        instruction="Sum up.",
        messages_sha256="",
        params={},
    )
    told.note(asked, "harness")
    said = SummaryResponse(
        step=2,
        attempt=1,
        content="Short.",
        finish_reason="stop",
        complete=True,
        summary="Short.",
        prompt_ids=IdSpan(keep=0, new=[7, 8]),
        generated_ids=[4, 5],
    )
    told.note(said, "compaction")
    told.end()
    for after_outage, reasons in (("mask", ["after_outage", "no_trained_token"]), ("train", [])):
        policy = SamplePolicy(compaction="train", after_outage=after_outage)  # type: ignore[arg-type]
        _, left_out = read(tmp_path / "s", policy)
        assert sorted(out.reason for out in left_out) == reasons


def test_a_fork_after_an_outage_is_still_after_it(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "a")
    told.user("Go.")
    outage(told)
    told.end()
    last = max(e.seq for e in read_events(tmp_path / "a") if isinstance(e.data, Observation))
    fork = ToldSession.fork(tmp_path / "a", last, tmp_path / "b")
    fork.step("Another tale.")
    fork.end()
    samples, left_out = read(tmp_path / "b")
    assert [run for one in samples for run in runs(one)] == told.generated[:1]
    assert [out.reason for out in left_out] == ["after_outage"]


ERRORS = st.sampled_from([None, None, None, "tool_infra", "exit", "sandbox_lost"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(ERRORS, max_size=5), min_size=1, max_size=4))
def test_no_token_after_an_outage_is_trained_in_that_round(rounds: list[list[str | None]]) -> None:
    with TemporaryDirectory() as place:
        told = ToldSession.create(Path(place) / "s")
        clean: list[list[int]] = []
        for number, errors in enumerate(rounds):
            told.user(f"Round {number}.")
            dirty = False
            for step, error in enumerate(errors):
                told.step("", ("bash", {"command": f"{number} {step}"}, "x"), error=error)
                clean += [] if dirty else told.generated[-1:]
                dirty |= error == "tool_infra"
            told.step(f"Answer {number}.")
            clean += [] if dirty else told.generated[-1:]
        told.end()
        samples, _ = read(Path(place) / "s")
        assert [run for one in samples for run in runs(one)] == clean
        samples, _ = read(Path(place) / "s", SamplePolicy(after_outage="train"))
        assert [run for one in samples for run in runs(one)] == told.generated


def test_the_note_on_a_new_sandbox_is_context_of_an_exact_sample(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", {"command": "ls"}, "a.py"))
    told.harness("A new one has taken its place.", reason="new_sandbox")
    told.step("Done.")
    told.end()
    (sample,), left_out = read(tmp_path / "s")
    assert left_out == []
    assert runs(sample) == told.generated
    assert "A new one has taken its place." in decode(sample.ids)
    [note] = [turn for turn in sample.turns if "A new one" in str(turn.message["content"])]
    assert (note.trained, note.origin, note.message["role"]) == (False, "harness", "system")


def test_a_step_with_a_refused_call_is_context_unless_asked_for(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", {"command": "git push"}, "Not allowed."), error="rejected")
    told.step("Then not.")
    told.end()
    (sample,), left_out = read(tmp_path / "s")
    assert runs(sample) == told.generated[1:]
    assert [(out.reason, out.step) for out in left_out] == [("refused", 1)]
    (whole,), none = read(tmp_path / "s", SamplePolicy(refused="train"))
    assert (runs(whole), none) == (told.generated, [])
