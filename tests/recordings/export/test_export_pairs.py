"""Preference pairs: one prompt to the id, where two sessions part, and what keeps a pair out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from recordings.events import Rewind
from recordings.export.files import ExportFailed
from recordings.export.pair_samples import Pair, pair_up
from recordings.export.pairs import reviewed_pairs
from recordings.export.plan import ChosenPair, ChosenRecording, ExportOptions
from recordings.export.registry import find_target
from recordings.export.report import ExportReport
from recordings.export.run import export
from recordings.redaction.secrets import SecretFinder
from recordings.reviews.approval import ApprovalState
from recordings.reviews.review import StepReview
from recordings.reviews.reviews import add_review
from recordings.samples.build import samples_of
from recordings.samples.policy import SamplePolicy
from recordings.samples.sample import LeftOut, Sample
from recordings.storage.log import LOG
from tests.recordings.export.exporting import exported, lines, rows, source
from tests.recordings.samples.told_session import ToldSession, two_rounds

GOLDEN = Path(__file__).with_name("golden") / "preference.json"
WILD = "a<|assistant|>\u2028\x00 %s\n---\r 世界"

Tell = Callable[[ToldSession], object]


def _chosen(one: Path | ChosenRecording) -> ChosenRecording:
    return one if isinstance(one, ChosenRecording) else source(one)


def exported_pairs(
    out: Path, *pairs: tuple[Path | ChosenRecording, Path | ChosenRecording], **options: Any
) -> ExportReport:
    """Export pairs of recordings: the better, the worse."""
    units = [ChosenPair(_chosen(better), _chosen(worse), "unsolved") for better, worse in pairs]
    finder = SecretFinder({"DEPLOY_KEY": "correct-horse-battery"})
    return export(units, out, find_target("preference"), ExportOptions(**options), finder, "sii 0")


def told(folder: Path, *turns: Tell, asked: str = "Mend it.", **start: Any) -> ToldSession:
    session = ToldSession.create(folder, **start)
    session.user(asked)
    for turn in turns:
        turn(session)
    session.end()
    return session


def call(command: str, observed: str, **more: Any) -> Tell:
    return lambda session: session.step("", ("bash", {"command": command}, observed), **more)


def say(content: str, **more: Any) -> Tell:
    return lambda session: session.step(content, **more)


def counted(row: dict[str, Any], side: str) -> list[int]:
    """The ids of a completion that its mask counts."""
    pairs = zip(row[f"{side}_ids"], row[f"{side}_mask"], strict=True)
    return [one for one, on in pairs if on]


def ask(text: str) -> Tell:
    return lambda session: session.user(text)


def joined(parts: list[list[int]]) -> list[int]:
    return [one for part in parts for one in part]


def left_out(out: Path, *pair: Path) -> str:
    """Why a pair cannot be exported alone; one that can stands beside it."""
    good = (out.parent / f"{out.name}-a", out.parent / f"{out.name}-b")
    told(good[0], say("Good."))
    told(good[1], say("Bad."))
    exported_pairs(out, pair, good)  # type: ignore[arg-type]
    [told_of] = [one for one in lines(out / "left_out.jsonl") if "rejected" in one]
    assert (told_of["recording"], told_of["rejected"]) == (pair[0].name, pair[1].name)
    assert len(rows(out)) == 1
    return str(told_of["reason"])


@pytest.fixture
def better(tmp_path: Path) -> ToldSession:
    return told(
        tmp_path / "20261124-100000-aaaaaa",
        call("ls", "a.py"),
        call("sed -i s/-/+/ a.py", "", reasoning="A minus."),
        say("Mended. <b>世界</b>"),
        license="mit",
        query="q7",
    )


@pytest.fixture
def worse(tmp_path: Path) -> ToldSession:
    return told(
        tmp_path / "20261124-100001-bbbbbb",
        call("ls", "a.py"),
        call("cat a.py", WILD, reasoning="Look."),
        say("It is fine."),
        query="q7",
    )


def sample_of(folder: Path) -> Sample:
    (sample,) = samples_of(folder)
    assert isinstance(sample, Sample)
    return sample


def folder_of(session: ToldSession) -> Path:
    return session.recorder.folder


def test_a_row_is_as_it_was(tmp_path: Path, better: ToldSession, worse: ToldSession) -> None:
    exported_pairs(tmp_path / "out", (folder_of(better), folder_of(worse)))
    found = rows(tmp_path / "out")
    if os.environ.get("SII_UPDATE_SNAPSHOTS"):
        GOLDEN.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    assert found == json.loads(GOLDEN.read_text())


def test_the_prompt_is_the_same_to_the_id_and_the_mask_is_on_what_the_model_made(
    tmp_path: Path, better: ToldSession, worse: ToldSession
) -> None:
    report = exported_pairs(tmp_path / "out", (folder_of(better), folder_of(worse)))
    (row,) = rows(tmp_path / "out")
    exported(tmp_path / "ids", "tokens", folder_of(better), folder_of(worse))
    for side, whole, session in zip(
        ("chosen", "rejected"), rows(tmp_path / "ids"), (better, worse), strict=True
    ):
        assert row["prompt_ids"] + row[f"{side}_ids"] == whole["input_ids"]
        assert counted(row, side) == joined(session.generated[1:])
        assert row[f"{side}_ids"][0] == session.generated[1][0]
    assert [one["role"] for one in row["prompt"]] == ["system", "user", "assistant", "tool"]
    assert row["rejected"][1]["content"] == WILD
    assert (report.samples, report.rows, report.steps) == (2, 1, 4)
    assert report.trained == sum(row["chosen_mask"]) + sum(row["rejected_mask"])


def test_a_row_says_where_both_come_from(
    tmp_path: Path, better: ToldSession, worse: ToldSession
) -> None:
    chosen = source(folder_of(better), approval="approved", reviewers=("ada",))
    rejected = source(folder_of(worse))
    exported_pairs(tmp_path / "out", (chosen, rejected), license="apache-2.0")
    (origin,) = lines(tmp_path / "out" / "provenance.jsonl")
    other = origin["rejected"]
    assert (origin["recording_sha256"], other["recording_sha256"]) == (
        chosen.sha256,
        rejected.sha256,
    )
    assert (origin["approval"], other["approval"]) == ("approved", "unreviewed")
    assert (origin["license"], other["license"]) == ("mit", "apache-2.0")
    assert (origin["because"], len(origin["steps"])) == ("unsolved", 2)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert {one["id"]: one["sha256"] for one in manifest["recordings"]} == {
        chosen.id: chosen.sha256,
        rejected.id: rejected.sha256,
    }


def test_branches_of_one_point_part_where_the_fork_does(tmp_path: Path) -> None:
    parent = told(tmp_path / "p", call("ls", "a.py"), call("rm a.py", ""), say("Gone."))
    point = next(n for n, one in enumerate(parent._messages) if one[1]["role"] == "tool")
    fork = ToldSession.fork(tmp_path / "p", parent._messages[point][0], tmp_path / "f")
    fork.step("It is a.py.")
    fork.end()
    exported_pairs(tmp_path / "out", (tmp_path / "f", tmp_path / "p"))
    (row,) = rows(tmp_path / "out")
    assert counted(row, "chosen") == joined(fork.generated)
    assert counted(row, "rejected") == joined(parent.generated[1:])


def test_where_an_observation_parts_them_its_call_begins_both(tmp_path: Path) -> None:
    one = told(tmp_path / "a", call("ls", ""), call("date", "Monday"), say("Monday."))
    two = ToldSession.create(tmp_path / "b")
    two.user("Mend it.")
    two.request()  # an attempt that failed: the calls are named otherwise from here
    call("ls", "")(two)
    call("date", "Friday")(two)
    say("Friday.")(two)
    two.end()
    exported_pairs(tmp_path / "out", (tmp_path / "a", tmp_path / "b"))
    (row,) = rows(tmp_path / "out")
    assert len(row["prompt"]) == 4
    for side, session in (("chosen", one), ("rejected", two)):
        assert counted(row, side) == joined(session.generated[1:])
        assert row[side][0]["tool_calls"][0]["id"] == row[side][1]["tool_call_id"]


def test_a_pair_that_parts_in_its_last_round_has_the_others_in_its_prompt(tmp_path: Path) -> None:
    parent = two_rounds(tmp_path / "p")
    asked = max(seq for seq, message in parent._messages if message["role"] == "user")
    fork = ToldSession.fork(tmp_path / "p", asked, tmp_path / "f")
    fork.step("A sign.", reasoning="Long.")
    fork.end()
    exported_pairs(tmp_path / "out", (tmp_path / "f", tmp_path / "p"))
    (row,) = rows(tmp_path / "out")
    assert [row[side][0]["content"] for side in ("chosen", "rejected")] == [
        "A sign.",
        "A minus sign.",
    ]
    assert row["prompt"][-1]["content"] == "What was it?"
    assert counted(row, "rejected") == parent.generated[3]


def test_sessions_that_part_before_their_last_round_are_no_pair(tmp_path: Path) -> None:
    again = (ask("Again?"), say("Again."))
    told(tmp_path / "a", say("Mended.", reasoning="So."), *again)
    told(tmp_path / "b", say("Broken.", reasoning="So."), *again)
    told(tmp_path / "c", say("Broken.", reasoning="So."))
    assert left_out(tmp_path / "both", tmp_path / "a", tmp_path / "b") == "parted_early"
    assert left_out(tmp_path / "one", tmp_path / "c", tmp_path / "a") == "parted_early"
    told(tmp_path / "short", say("Mended.", reasoning="So."))
    for order in (("a", "short"), ("short", "a")):
        pair = (tmp_path / name for name in order)
        assert left_out(tmp_path / "-".join(order), *pair) == "parted_early"
    # Only the reasoning differs, which the template drops: the prompts of the last round are equal.
    told(tmp_path / "d", say("Mended.", reasoning="Or so."), ask("Again?"), say("Other."))
    assert left_out(tmp_path / "dropped", tmp_path / "d", tmp_path / "a") == "parted_early"


def test_sessions_that_were_not_asked_the_same_are_no_pair(tmp_path: Path) -> None:
    told(tmp_path / "a", say("Mended."))
    told(tmp_path / "b", say("Broken."), asked="Break it.")
    assert left_out(tmp_path / "asked", tmp_path / "a", tmp_path / "b") == "other_prompt"
    told(tmp_path / "c", say("Broken."), system_prompt="You break things.")
    assert left_out(tmp_path / "system", tmp_path / "a", tmp_path / "c") == "other_prompt"
    for name, words in (("d", "Really?"), ("e", "And the test?")):  # in one stretch with the first
        told(tmp_path / name, say("Mended."), ask(words), say(f"Yes, {name}."))
    assert left_out(tmp_path / "again", tmp_path / "d", tmp_path / "e") == "other_prompt"


@pytest.mark.parametrize("ids", [True, False], ids=["ids", "text"])
def test_a_round_that_teaches_nothing_is_compared_as_part_of_the_next_prompt(
    tmp_path: Path, ids: bool
) -> None:
    for name, first, second in (("a", "Well", "Yes."), ("b", "Well", "No."), ("c", "So", "Hm.")):
        broken = say(first, reasoning="R", complete=False, ids=ids)
        told(tmp_path / name, broken, ask("Go on."), say(second, ids=ids))
    exported_pairs(tmp_path / "out", (tmp_path / "a", tmp_path / "b"))
    (row,) = rows(tmp_path / "out")
    assert row["prompt"][-1]["content"] == "Go on."
    assert left_out(tmp_path / "other", tmp_path / "a", tmp_path / "c") == "other_prompt"


def test_ids_that_differ_where_the_words_do_not_are_no_prompt(
    better: ToldSession, worse: ToldSession
) -> None:
    one, two = (sample_of(folder_of(session)) for session in (better, worse))
    call_at, parted_at = (span.start for span in one.spans[1:4:2])
    (pair,) = pair_up(("a", "b"), [one], [two])
    assert isinstance(pair, Pair)
    assert (pair.turn, pair.at) == (4, parted_at)
    spelled = [*two.ids[: call_at + 1], 7, *two.ids[call_at + 2 :]]
    (pair,) = pair_up(("a", "b"), [one], [replace(two, ids=spelled)])
    assert isinstance(pair, Pair)
    assert (pair.turn, pair.at) == (2, call_at)
    # What opens the turn was generated on one side, and sent on the other.
    late = [replace(two.spans[3], start=parted_at + 1), *two.spans[4:]]
    (pair,) = pair_up(("a", "b"), [one], [replace(two, spans=(*two.spans[:3], *late))])
    assert isinstance(pair, Pair)
    assert (pair.turn, pair.at) == (2, call_at)


@pytest.mark.parametrize(
    "other", [{"tools": []}, {"template_kwargs": {"enable_thinking": False}}], ids=str
)
def test_other_tools_or_template_arguments_make_no_pair(
    better: ToldSession, worse: ToldSession, other: dict[str, Any]
) -> None:
    one, two = (sample_of(folder_of(session)) for session in (better, worse))
    (pair,) = pair_up(("a", "b"), [one], [two])
    assert isinstance(pair, Pair)
    (left,) = pair_up(("a", "b"), [one], [replace(two, **other)])
    assert isinstance(left, LeftOut)
    assert left.reason == "other_prompt"


def test_what_teaches_nothing_on_one_side_is_no_pair(tmp_path: Path) -> None:
    told(tmp_path / "a", call("ls", "a.py"), say("Mended."))
    told(tmp_path / "b", call("ls", "a.py"), say("Broken", complete=False))
    assert left_out(tmp_path / "cut", tmp_path / "a", tmp_path / "b") == "no_trained_token"
    told(tmp_path / "same", call("ls", "a.py"), say("Mended."))
    same = left_out(tmp_path / "equal", tmp_path / "a", tmp_path / "same")
    assert same == "no_trained_token"
    told(tmp_path / "c", say("Broken", complete=False))
    assert left_out(tmp_path / "none", tmp_path / "a", tmp_path / "c") == "no_trained_token"
    told(tmp_path / "d")
    assert left_out(tmp_path / "no-step", tmp_path / "a", tmp_path / "d") == "parted_early"


def test_what_does_not_count_is_masked_in_both(
    tmp_path: Path, better: ToldSession, worse: ToldSession
) -> None:
    for session in (better, worse):
        seq = session._messages[4][0]  # the step in which they part
        add_review(folder_of(session), "ada", steps=[StepReview(seq=seq, exclude=True)])
    exported_pairs(tmp_path / "out", (folder_of(better), folder_of(worse)))
    (row,) = rows(tmp_path / "out")
    for side, session in (("chosen", better), ("rejected", worse)):
        assert counted(row, side) == session.generated[2]
        assert row[f"{side}_ids"][: len(session.generated[1])] == session.generated[1]
    assert [one["reason"] for one in lines(tmp_path / "out" / "left_out.jsonl")] == ["excluded"] * 2


def test_words_of_an_annotator_are_not_counted(tmp_path: Path, worse: ToldSession) -> None:
    told(
        tmp_path / "a",
        call("ls", "a.py"),
        call("cat b.py", "", origin="annotator", ids=False),
        say("Mended."),
    )
    exported_pairs(tmp_path / "out", (tmp_path / "a", folder_of(worse)))
    (row,) = rows(tmp_path / "out")
    assert len(row["prompt"]) == 2  # the call before is the last turn that both made themselves
    assert row["chosen"][2]["tool_calls"][0]["function"]["arguments"] == {"command": "cat b.py"}
    assert "human_text" in {one["reason"] for one in lines(tmp_path / "out" / "left_out.jsonl")}


def test_messages_alone_make_a_pair_where_ids_are_not_known_of_both(tmp_path: Path) -> None:
    told(tmp_path / "a", call("ls", "a.py", ids=False), say("Mended.", ids=False))
    told(tmp_path / "b", call("ls", "a.py"), say("Broken."))
    exported_pairs(tmp_path / "out", (tmp_path / "a", tmp_path / "b"))
    (row,) = rows(tmp_path / "out")
    assert (row["chosen"][0]["content"], row["rejected"][0]["content"]) == ("Mended.", "Broken.")
    assert {row[name] for name in row if name.endswith(("ids", "mask"))} == {None}
    told(
        tmp_path / "c",
        call("ls", "a.py", ids=False),
        call("cat x", "", ids=False, error="failed"),
        say("Broken.", ids=False),
    )
    told(tmp_path / "same", call("ls", "a.py"), say("Mended."))
    same = left_out(tmp_path / "equal", tmp_path / "a", tmp_path / "same")
    assert same == "no_trained_token"
    policy = SamplePolicy(failed_calls="mask")
    with pytest.raises(ExportFailed, match="not_expressible 1"):
        exported_pairs(tmp_path / "none", (tmp_path / "a", tmp_path / "c"), policy=policy)


@pytest.mark.parametrize(
    ("turn", "reason"),
    [
        (lambda one: one.step("", ("bash", '{"command": 1e5}', "")), "not_expressible"),
        (call("ls", "", stop_reason=7), "stop_token_missing"),
        (call("ls", "", ids=False), "ids_missing"),
    ],
    ids=["arguments", "stop", "ids"],
)
def test_a_step_counts_only_if_its_words_and_its_ids_do(
    tmp_path: Path, turn: Tell, reason: str
) -> None:
    told(tmp_path / "a", say("Mended."))
    told(tmp_path / "b", call("cat a.py", ""), turn, say("Broken."))
    exported_pairs(tmp_path / "out", (tmp_path / "a", tmp_path / "b"))
    (out,) = lines(tmp_path / "out" / "left_out.jsonl")
    assert (out["recording"], out["reason"], out["step"]) == ("b", reason, 2)


@pytest.mark.parametrize("where", ["chosen", "rejected"])
def test_a_secret_in_either_is_refused(tmp_path: Path, where: str) -> None:
    words = {"chosen": "Good.", "rejected": "Bad."} | {where: "It is correct-horse-battery."}
    for name, text in words.items():
        told(tmp_path / name, say(text))
    with pytest.raises(ExportFailed, match=rf"there are secrets in {where} \(DEPLOY_KEY\)"):
        exported_pairs(tmp_path / "out", (tmp_path / "chosen", tmp_path / "rejected"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("where", ["chosen", "rejected"])
def test_a_pair_with_a_changed_recording_is_left_out(tmp_path: Path, where: str) -> None:
    for name in ("chosen", "rejected", "other"):
        told(tmp_path / name, say(f"I am {name}."))
    units = {name: source(tmp_path / name) for name in ("chosen", "rejected", "other")}
    log = tmp_path / where / LOG
    log.write_bytes(log.read_bytes().replace(b"I am", b"I'm "))
    spare = "rejected" if where == "chosen" else "chosen"
    pairs = [(units["chosen"], units["rejected"]), (units[spare], units["other"])]
    report = exported_pairs(tmp_path / "out", *pairs)
    assert (report.rows, report.left_out) == (1, {"damaged": 1})


def test_what_is_left_out_of_a_recording_is_said_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        told(tmp_path / name, call("ls", name), say(f"Good {name}."))
        add_review(tmp_path / name, "ada", steps=[StepReview(seq=3, exclude=True)])
    for name in ("c", "d"):
        told(tmp_path / name, say(f"Bad {name}."))
    pairs = [(tmp_path / one, tmp_path / two) for one in "ab" for two in "cd"]
    report = exported_pairs(tmp_path / "out", *pairs)
    assert (report.rows, report.left_out) == (4, {"excluded": 2})


def test_a_querys_pairs_are_on_one_side(tmp_path: Path) -> None:
    pairs = []
    for number in range(12):
        asked = f"Task {number // 3}."
        names = [tmp_path / f"{number:02}{kind}" for kind in "ab"]
        for folder in names:
            told(folder, say(f"Answer {folder.name}."), asked=asked)
        better, worse = (source(folder, query=asked) for folder in names)
        pairs.append((better, worse))
    exported_pairs(tmp_path / "out", *pairs, validation=0.25)
    asked_of = {
        split: {row["prompt"][1]["content"] for row in rows(tmp_path / "out", split)}
        for split in ("train", "validation")
    }
    assert len(asked_of["validation"]) == 1
    assert len(asked_of["train"]) == 3
    assert not asked_of["train"] & asked_of["validation"]


def test_the_longer_side_is_held_against_the_limit_and_pairs_are_there_once(
    tmp_path: Path, better: ToldSession, worse: ToldSession
) -> None:
    pair = (folder_of(better), folder_of(worse))
    lengths = [len(sample_of(folder).ids) for folder in pair]
    for name, either in (("one", pair), ("two", pair[::-1])):
        assert exported_pairs(tmp_path / name, either, max_tokens=max(lengths)).rows == 1
        with pytest.raises(ExportFailed, match="over_length 1"):
            exported_pairs(tmp_path / "none", either, max_tokens=max(lengths) - 1)
    again = told(tmp_path / "again", call("ls", "a.py"), say("Done."))
    twin = told(tmp_path / "twin", call("ls", "a.py"), say("Done."))
    twice = [(folder_of(better), folder_of(one)) for one in (again, twin)]
    report = exported_pairs(tmp_path / "twice", *twice)
    assert (report.rows, report.left_out) == (1, {"duplicate": 1})


def test_the_same_pairs_give_the_same_bytes(
    tmp_path: Path, better: ToldSession, worse: ToldSession
) -> None:
    other = told(tmp_path / "other", say("No."))
    pairs = [(folder_of(better), folder_of(one)) for one in (worse, other)]
    exported_pairs(tmp_path / "one", *pairs)
    exported_pairs(tmp_path / "two", *reversed(pairs))
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("why", "parent_is", "because"),
    [
        ("wrong", "unreviewed", ["rewind"]),
        ("wrong", "rejected", ["rejected"]),
        ("wrong", "approved", []),
        ("unclear", "unreviewed", []),
        ("unclear", "rejected", []),
        ("trying", "rejected", []),
    ],
)
def test_going_back_makes_a_pair_only_where_the_model_was_wrong(
    tmp_path: Path,
    why: Literal["wrong", "unclear", "trying"],
    parent_is: ApprovalState,
    because: list[str],
) -> None:
    parent = told(tmp_path / "left", say("No."))
    fork = ToldSession.fork(tmp_path / "left", 0, tmp_path / "better")
    fork.note(Rewind(message=1, why=why, files=True), "human")
    fork.user("Mend it.")
    fork.step("Yes.")
    fork.end()
    better = replace(source(tmp_path / "better"), approval="approved", parent="left")
    worse = replace(source(parent.recorder.folder), approval=parent_is)
    found = reviewed_pairs([worse, better])
    assert [one.because for one in found] == because
    assert {(one.chosen.id, one.rejected.id) for one in found} <= {("better", "left")}
    if because:
        report = export(
            found,
            tmp_path / "out",
            find_target("preference"),
            ExportOptions(),
            SecretFinder({}),
            "sii 0",
        )
        assert report.rows == 1
