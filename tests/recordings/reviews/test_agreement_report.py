"""The agreement of a collection: who is compared with whom, and on what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from recordings.reviews.agreement_report import (
    FIRST_WRONG,
    MARK,
    VERDICT,
    AgreementReport,
    ErrorShare,
    Matches,
    agreement_of_verdicts,
    report_agreement,
)
from recordings.reviews.opinions import JudgedRecording, is_in_share, judged_recording
from recordings.reviews.protocol import ReviewProtocol
from recordings.reviews.review import Review, RubricAnswer, StepReview
from recordings.reviews.rubric import RubricQuestion

NOW, BEFORE = "5e" * 32, "00" * 32
GOAL = RubricQuestion("goal", "scale", least=1, most=5, whole=True)
PROTOCOL = ReviewProtocol(rubric=(GOAL,), gold=("g1", "g2"))


def said(who: str, verdict: str | None = "approve", **changes: Any) -> Review:
    fields = {"reviewer": who, "time": 1_795_467_312.0, "id": "r", "sha256": NOW}
    return Review.model_validate({**fields, "verdict": verdict, **changes})


def judged(name: str, *reviews: Review, passed: bool | None = None) -> JudgedRecording:
    return judged_recording(name, reviews, NOW, PROTOCOL, passed=passed)


def report(
    items: Iterable[JudgedRecording], protocol: ReviewProtocol = PROTOCOL
) -> AgreementReport:
    return report_agreement(items, protocol)


def goal(value: float) -> dict[str, RubricAnswer]:
    return {"goal": RubricAnswer(kind="scale", value=value)}


def step(seq: int, **said: Any) -> StepReview:
    return StepReview(seq=seq, **said)


def test_verdicts_and_questions_are_compared() -> None:
    found = report(
        [
            judged("r1", said("ann", rubric=goal(5)), said("bob", rubric=goal(4))),
            judged("r2", said("ann", rubric=goal(1)), said("bob", "reject", rubric=goal(1))),
            judged("r3", said("ann")),
        ]
    )
    assert (found.recordings, found.reviewers) == (2, {"ann": 3, "bob": 2})
    verdict, marks = found.questions[VERDICT], found.questions["goal"]
    assert verdict.percent is not None
    assert (verdict.percent.value, verdict.items, verdict.pairs) == (0.5, 2, 2)
    assert marks.alpha is not None
    assert marks.alpha.value > 0.5, "4 and 5 are near each other"


def test_one_opinion_alone_does_not_enter_the_agreement_of_verdicts() -> None:
    both = [
        judged("r1", said("ann"), said("bob")),
        judged("r2", said("ann"), said("bob", "reject")),
    ]
    alone = judged("r3", said("ann", "needs_work"))
    assert agreement_of_verdicts([*both, alone]) == agreement_of_verdicts(both)
    assert agreement_of_verdicts([*both, alone]) == report([*both, alone]).questions[VERDICT]


def test_verdicts_on_too_little_are_counted() -> None:
    thin = {"steps": 1, "of_steps": 10, "folds": 0, "floor": 0.3}
    found = report(
        [
            judged("r1", said("ann", coverage=thin), said("bob", coverage={**thin, "steps": 3})),
            judged("r2", said("ann", None, coverage=thin), said("bob")),
            judged("r3", said("ann", coverage=thin), said("ann", coverage={**thin, "steps": 9})),
        ]
    )
    assert found.below_floor == 1


def test_what_does_not_count_is_not_compared() -> None:
    one = judged_recording(
        "r1",
        [
            said("ann"),
            said("bob", sha256=BEFORE),
            said("glm", role="model"),
            said("pytest", role="check"),
            said("pia", role="practitioner"),
            said("lea", "reject", role="adjudicator"),
            said("cleo", "reject"),
        ],
        NOW,
        PROTOCOL,
        authors={"cleo"},
    )
    assert [own.reviewer for own in one.opinions] == ["ann"]
    assert one.decision == "reject"


def test_what_was_said_after_a_blind_verdict_is_not_compared() -> None:
    blind, later = said("ann", "reject", time=1.0, blind=True), said("ann", "approve", time=2.0)
    (own,) = judged("r1", blind, later).opinions
    assert own.verdict == "reject"
    (open_one,) = judged("r1", said("ann", "reject", time=1.0), later).opinions
    assert open_one.verdict == "approve"


def test_marks_and_flags_are_compared_on_steps_that_both_judged() -> None:
    ann = said("ann", steps=(step(3, mark="good"), step(7, mark="bad", flags=("unsafe",))))
    bob = said("bob", steps=(step(7, mark="bad"), step(9, mark="bad")))
    found = report([judged("r1", ann, bob)])
    assert (found.steps[MARK].items, found.steps[MARK].all_agree) == (1, True)
    unsafe, first = found.steps["flag unsafe"], found.steps[FIRST_WRONG]
    assert unsafe.percent is not None
    assert unsafe.percent.value == 0
    assert first.all_agree, "both say 7"


def test_exclusions_are_compared_as_sets() -> None:
    ann = said("ann", steps=(step(3, exclude=True), step(4, exclude=True)))
    bob = said("bob", steps=(step(4, exclude=True), step(5, exclude=True), step(5, exclude=False)))
    assert report([judged("r1", ann, bob)]).exclusions == pytest.approx(2 / 3)


def test_each_is_compared_with_gold_and_with_the_check() -> None:
    gold = said("lea", "reject", role="adjudicator")
    found = report(
        [
            judged("g1", said("ann", "reject"), said("bob"), gold, passed=True),
            judged("g2", said("ann", "needs_work"), gold, passed=False),
            judged("r1", said("ann", "reject"), gold, passed=None),
        ]
    )
    assert found.gold == {"ann": Matches(2, 2), "bob": Matches(0, 1)}
    assert found.check == {"ann": Matches(1, 2), "bob": Matches(1, 1)}


def test_pairs_and_weeks_are_apart() -> None:
    week = 7 * 86_400.0
    found = report(
        [
            judged("r1", said("ann", time=1.0), said("bob", time=2.0)),
            judged("r2", said("cleo", time=week), said("bob", "reject", time=2 * week)),
        ]
    )
    assert list(found.pairs) == ["ann · bob", "bob · cleo"]
    assert list(found.weeks) == ["1970-W01", "1970-W03"]


def test_the_worst_disagreement_comes_first() -> None:
    found = report(
        [
            judged("r1", said("ann", rubric=goal(5)), said("bob", rubric=goal(4))),
            judged("r2", said("ann"), said("bob", "reject")),
            judged("r3", said("ann"), said("bob")),
        ]
    )
    assert [one.id for one in found.worst] == ["r2", "r1"]
    assert found.worst[0].answers == {VERDICT: {"ann": "approve", "bob": "reject"}}


def test_the_share_of_wrong_approvals_comes_from_a_second_read_by_chance() -> None:
    protocol = ReviewProtocol(second_read=0.5)
    names = [f"r{number}" for number in range(400)]
    chosen = [name for name in names if is_in_share(name, 0.5)]
    assert 150 < len(chosen) < 250
    items = [
        judged(
            name,
            said("ann", time=1.0),
            said("bob", "reject" if n % 10 == 0 else "approve", time=2.0),
        )
        for n, name in enumerate(names)
    ]
    found = report(items, protocol).error_share
    assert found is not None
    assert found.of == len(chosen)
    low, high = found.interval
    assert low < 0.1 < high
    assert report(items).error_share is None


def test_the_interval_of_a_share_is_wilsons() -> None:
    low, high = ErrorShare(2, 46).interval
    assert (round(low, 4), round(high, 4)) == (0.012, 0.1453)
    assert ErrorShare(0, 10).interval[0] == 0
