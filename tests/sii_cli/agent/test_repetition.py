"""A model that goes in circles is reminded at the third time, and stopped at the fifth."""

from __future__ import annotations

import pytest

from sii_cli.agent.repetition import Repetition
from sii_cli.agent.round_control import RoundOver


def step(name: str, result: str = "same") -> list[tuple[str, str, str]]:
    return [("bash", name, result)]


def reminders(names: str) -> list[int]:
    """At which of these steps a reminder comes, from 1."""
    repetition = Repetition()
    return [at for at, name in enumerate(names, 1) if repetition.step(step(name))]


@pytest.mark.parametrize(
    ("names", "at"),
    [
        ("aaaa", [3]),
        ("ababab", [6]),
        ("xabcabcabc", [10]),
        ("abcdabcdabcd", [12]),
        ("aabbaabb", []),
        ("abcabdabe", []),
        ("aabaabaa", []),
        ("aaabaaa", [3, 7]),
    ],
)
def test_a_circle_is_reminded_of_at_its_third_time(names: str, at: list[int]) -> None:
    assert reminders(names) == at


@pytest.mark.parametrize("circle", ["a", "ab", "abc", "abcd"])
def test_a_circle_ends_the_round_at_its_fifth_time(circle: str) -> None:
    repetition = Repetition()
    names = circle * 5
    for name in names[:-1]:
        repetition.step(step(name))
    with pytest.raises(RoundOver) as over:
        repetition.step(step(names[-1]))
    assert over.value.status == "loop"
    assert "5 times" in over.value.reason


def test_other_results_are_no_circle() -> None:
    repetition = Repetition()
    assert not any(repetition.step(step("a", str(number))) for number in range(20))
