"""The agreement of the reviewers of a collection: by question, step, pair, gold, check and week."""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from recordings.reviews.agreement import Agreement, Label, f1, measure
from recordings.reviews.opinions import JudgedRecording, Opinion, is_in_share
from recordings.reviews.protocol import ReviewProtocol

VERDICT = "verdict"
FIRST_WRONG = "first wrong step"
MARK = "mark of a step"
_MOST_WORST = 20
_Z = 1.959964
"""Standard deviations of an interval of 95 %."""


@dataclass(frozen=True, slots=True)
class Matches:
    """How often somebody said the same as another."""

    same: int
    of: int


@dataclass(frozen=True, slots=True)
class ErrorShare:
    """The estimated share of wrong approvals, with Wilson's interval of 95 %."""

    wrong: int
    of: int
    """Approved recordings that another person read, chosen by chance."""

    @property
    def interval(self) -> tuple[float, float]:
        """The least and the largest share that the counts allow."""
        share, spread = self.wrong / self.of, _Z**2 / self.of
        middle = (share + spread / 2) / (1 + spread)
        half = _Z * math.sqrt(share * (1 - share) / self.of + spread / (4 * self.of))
        low, high = middle - half / (1 + spread), middle + half / (1 + spread)
        return (max(0.0, low) if self.wrong else 0.0, min(1.0, high))

    @property
    def words(self) -> str:
        """The share in a line, with what it rests on."""
        low, high = self.interval
        basis = f"{self.wrong:,} of {self.of:,} that another person read, chosen by chance"
        return f"{self.wrong / self.of:.1%} (95 %: {low:.1%} to {high:.1%}; {basis})"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A recording on which reviewers differ."""

    id: str
    percent: float
    """Share of the pairs of answers that are the same, over all questions."""
    answers: dict[str, dict[str, Label]]
    """By question where they differ: what each reviewer said."""


@dataclass(slots=True)
class AgreementReport:
    """How far the reviewers of a collection agree."""

    recordings: int = 0
    """Recordings with the opinions of two people at least."""
    reviewers: Counter[str] = field(default_factory=Counter)
    """Verdicts, by reviewer."""
    questions: dict[str, Agreement] = field(default_factory=dict)
    """Of the verdict, and of each question of the rubric."""
    steps: dict[str, Agreement] = field(default_factory=dict)
    """Of the first wrong step, of the marks and of each flag, over steps that both judged."""
    exclusions: float | None = None
    """F1 of the events that two people exclude."""
    pairs: dict[str, Agreement] = field(default_factory=dict)
    """Of the verdicts, by two reviewers."""
    gold: dict[str, Matches] = field(default_factory=dict)
    """By reviewer: verdicts that are those of the adjudicator or the lead, on gold."""
    check: dict[str, Matches] = field(default_factory=dict)
    """By reviewer: approvals of what passed its check, and other verdicts on what failed."""
    weeks: dict[str, Agreement] = field(default_factory=dict)
    """Of the verdicts, by the week of the last of them."""
    worst: list[Disagreement] = field(default_factory=list)
    """Where they differ most, first."""
    error_share: ErrorShare | None = None
    below_floor: int = 0
    """Verdicts on less of a recording than the protocol wanted opened."""


def report_agreement(
    judged: Iterable[JudgedRecording], protocol: ReviewProtocol
) -> AgreementReport:
    """Return the agreement on these recordings."""
    every = list(judged)
    several = [one for one in every if len(one.opinions) > 1]
    found = AgreementReport(recordings=len(several))
    for one in every:
        found.reviewers.update(own.reviewer for own in one.opinions if own.verdict is not None)
        found.below_floor += sum(own.is_below_floor for own in one.opinions)
    found.questions[VERDICT] = agreement_of_verdicts(several)
    for question in protocol.rubric:
        items = [_labels(one, _answer_to(question.name)) for one in several]
        found.questions[question.name] = measure(items, question.scale, question.weights)
    for name in sorted(_asked(several) - found.questions.keys()):
        found.questions[name] = measure([_labels(one, _answer_to(name)) for one in several])
    found.steps = _of_steps(several)
    both = [pair for one in several for pair in itertools.combinations(one.opinions, 2)]
    found.exclusions = f1([(one.excluded, other.excluded) for one, other in both])
    found.pairs = _grouped(several, lambda one, other: " · ".join(sorted((one, other))))
    found.weeks = _by_week(several)
    found.gold = _matches(every, lambda one: one.decision if one.id in protocol.gold else None)
    found.check = _matches(every, _checked)
    found.worst = _worst(several)
    found.error_share = _error_share(every, protocol)
    return found


def agreement_of_verdicts(judged: Iterable[JudgedRecording]) -> Agreement:
    """Return the agreement on the verdicts, of what at least two people gave an opinion on."""
    return measure([_labels(one, _verdict) for one in judged if len(one.opinions) > 1])


def _labels(one: JudgedRecording, label: Callable[[Opinion], Label | None]) -> list[Label]:
    return [said for opinion in one.opinions if (said := label(opinion)) is not None]


def _verdict(opinion: Opinion) -> Label | None:
    return opinion.verdict


def _answer_to(name: str) -> Callable[[Opinion], Label | None]:
    """Return what answers a question; words of a person's own are not compared."""

    def answer(opinion: Opinion) -> Label | None:
        said = opinion.answers.get(name)
        return None if said is None or said.kind == "text" else said.value

    return answer


def _asked(judged: Sequence[JudgedRecording]) -> set[str]:
    """Return the questions that were answered with a choice or on a scale."""
    return {
        name
        for one in judged
        for opinion in one.opinions
        for name, answer in opinion.answers.items()
        if answer.kind != "text"
    }


def _of_steps(judged: Sequence[JudgedRecording]) -> dict[str, Agreement]:
    marks: list[list[Label]] = []
    flags: defaultdict[str, list[list[Label]]] = defaultdict(list)
    names = {
        flag
        for one in judged
        for own in one.opinions
        for s in own.steps.values()
        for flag in s.flags
    }
    for one in judged:
        for seq in {seq for opinion in one.opinions for seq in opinion.steps}:
            said = [own.steps[seq] for own in one.opinions if seq in own.steps]
            if len(said) < 2:
                continue
            marks.append([step.mark for step in said if step.mark is not None])
            for name in names:
                flags[name].append([str(name in step.flags) for step in said])
    firsts: list[list[Label]] = [
        [str(opinion.first_wrong) for opinion in one.opinions] for one in judged
    ]
    found = {FIRST_WRONG: measure(firsts)}
    if any(marks):
        found[MARK] = measure(marks)
    return {**found, **{f"flag {name}": measure(flags[name]) for name in sorted(names)}}


def _grouped(
    judged: Sequence[JudgedRecording], key: Callable[[str, str], str]
) -> dict[str, Agreement]:
    groups: defaultdict[str, list[list[Label]]] = defaultdict(list)
    for recording in judged:
        given = [own for own in recording.opinions if own.verdict is not None]
        for one, other in itertools.combinations(given, 2):
            assert one.verdict is not None
            assert other.verdict is not None
            groups[key(one.reviewer, other.reviewer)].append([one.verdict, other.verdict])
    return {name: measure(items) for name, items in sorted(groups.items())}


def _by_week(judged: Sequence[JudgedRecording]) -> dict[str, Agreement]:
    groups: defaultdict[str, list[list[Label]]] = defaultdict(list)
    for one in judged:
        week = time.strftime("%G-W%V", time.gmtime(max(own.time for own in one.opinions)))
        groups[week].append(_labels(one, _verdict))
    return {week: measure(items) for week, items in sorted(groups.items())}


def _matches(
    judged: Sequence[JudgedRecording], truth: Callable[[JudgedRecording], str | None]
) -> dict[str, Matches]:
    counts: defaultdict[str, list[bool]] = defaultdict(list)
    for one in judged:
        right = truth(one)
        for own in one.opinions if right is not None else ():
            if own.verdict is not None:
                is_same = (own.verdict == "approve") == (right == "approve")
                counts[own.reviewer].append(is_same)
    return {name: Matches(sum(said), len(said)) for name, said in sorted(counts.items())}


def _checked(one: JudgedRecording) -> str | None:
    if one.passed is None:
        return None
    return "approve" if one.passed else "reject"


def _worst(judged: Sequence[JudgedRecording]) -> list[Disagreement]:
    found = []
    for one in judged:
        names = sorted({name for own in one.opinions for name in own.answers})
        labels = {VERDICT: _verdict, **{name: _answer_to(name) for name in names}}
        same = pairs = 0
        differing: dict[str, dict[str, Label]] = {}
        for name, label in labels.items():
            said = {own.reviewer: of for own in one.opinions if (of := label(own)) is not None}
            alike = [a == b for a, b in itertools.combinations(said.values(), 2)]
            same, pairs = same + sum(alike), pairs + len(alike)
            if not all(alike):
                differing[name] = said
        if differing:
            found.append(Disagreement(one.id, same / pairs, differing))
    found.sort(key=lambda one: (VERDICT not in one.answers, one.percent, one.id))
    return found[:_MOST_WORST]


def _error_share(judged: Sequence[JudgedRecording], protocol: ReviewProtocol) -> ErrorShare | None:
    """Return how many approvals a second reader contradicts, where chance chose the recording."""
    wrong = of = 0
    for one in judged:
        verdicts = [own.verdict for own in one.opinions if own.verdict is not None]
        first, second = verdicts[: protocol.reviewers], verdicts[protocol.reviewers :]
        if second and set(first) == {"approve"} and is_in_share(one.id, protocol.second_read):
            of += 1
            wrong += second[0] != "approve"
    return ErrorShare(wrong, of) if of else None
