"""The protocol as data: what `review.toml` may say, and the line of what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings.reviews.protocol import ProtocolUnusable, ReviewProtocol, find_protocol
from recordings.reviews.review import RubricAnswer
from recordings.reviews.rubric import AnswerUnusable, RubricQuestion

WHOLE = """\
policy = "adjudicated"
reviewers = 2
people = ["r1", "r2", "r3"]
adjudicators = ["lea"]
leads = ["max"]
blind = true
show_check = false
flags = ["wrong", "false summary"]
cohort = 20
set_aside = ["failed_check", "outage"]
second_read = 0.1
second_read_by_risk = true
gold = ["20261123-204950-a3f9c2"]
gold_share = 0.05

[rubric]
required = ["goal"]

[rubric.properties.goal]
title = "Goal reached"
description = "5: all of it."
type = "integer"
minimum = 1
maximum = 5
weights = "quadratic"

[rubric.properties.errors]
enum = ["none", "small", "grave"]

[rubric.properties."Is it supported?"]
type = "string"
citations = true

[rubric.properties.share]
type = "number"
"""


def read(home: Path, text: str) -> ReviewProtocol:
    (home / "review.toml").write_text(text)
    found = find_protocol(home)
    assert found is not None
    return found


def test_a_protocol_says_who_reviews_what_and_how(tmp_path: Path) -> None:
    found = read(tmp_path, WHOLE)
    assert (found.policy, found.reviewers, found.blind, found.show_check) == (
        *("adjudicated", 2, True, False),
    )
    assert found.people == ("r1", "r2", "r3")
    assert [found.role_of(name) for name in ("r1", "lea", "max")] == [
        *("reviewer", "adjudicator", "lead"),
    ]
    assert [found.may_review(name) for name in ("r1", "r9", "lea")] == [True, False, True]
    assert (found.cohort, found.set_aside) == (20, ("failed_check", "outage"))
    assert (found.second_read, found.second_read_by_risk) == (0.1, True)
    assert (found.gold, found.gold_share) == (("20261123-204950-a3f9c2",), 0.05)
    assert found.flags == ("wrong", "false summary")


def test_a_rubric_is_a_json_schema(tmp_path: Path) -> None:
    goal, errors, supported, share = read(tmp_path, WHOLE).rubric
    assert goal == RubricQuestion(
        *("goal", "scale", "Goal reached", "5: all of it."),
        least=1.0,
        most=5.0,
        whole=True,
        required=True,
        weights="quadratic",
    )
    assert (errors.kind, errors.choices) == ("choice", ("none", "small", "grave"))
    assert (supported.name, supported.kind, supported.cites) == ("Is it supported?", "text", True)
    assert [one.scale for one in (goal, errors, share)] == ["ordinal", "nominal", "interval"]


def test_an_answer_fits_its_question(tmp_path: Path) -> None:
    goal, errors, supported, share = read(tmp_path, WHOLE).rubric
    assert goal.answer("4") == RubricAnswer(kind="scale", value=4.0)
    assert errors.answer("small") == RubricAnswer(kind="choice", value="small")
    assert supported.answer("No.", (31,)).cites == (31,)
    assert share.answer("0.25").value == 0.25
    for question, said in ((goal, "6"), (goal, "2.5"), (goal, "x"), (share, "inf"), (errors, "x")):
        with pytest.raises(AnswerUnusable):
            question.answer(said)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("blind = true", 'blind = "yes"', 6, "blind wants true or false"),
        ("cohort = 20", "cohort = true", 9, "cohort wants a number from 1 to 1,000,000"),
        ("second_read = 0.1", "second_read = 2", 11, "second_read wants a share from 0 to 1"),
        ('"failed_check", ', '"failed", ', 10, "set_aside wants a list of failed_check"),
        ('["r1", ', "[7, ", 3, "people wants a list of pseudonyms"),
        ("minimum = 1", 'minimum = "1"', 23, "rubric question 'goal': minimum wants a number"),
        ("maximum = 5", "maximum = 0", 23, "minimum is not below maximum"),
        ('"small", "grave"', '"small", 3', 28, "enum wants 2 to 50 different words"),
        ('"small", "grave"', '"none", "none"', 28, "enum wants 2 to 50 different words"),
        ("citations = true", "cites = true", 32, "'cites' is not one of citations"),
        ('type = "number"', 'type = "array"', 34, "wants enum, or type"),
        ('required = ["goal"]', 'required = ["gaol"]', 17, "required wants names of properties"),
        ('weights = "quadratic"', 'weights = "cubic"', 25, "weights wants"),
        ("blind = true", "blnd = true", 6, "unknown field 'blnd'; did you mean blind?"),
    ],
)
def test_what_it_may_not_say_is_one_sentence_with_the_line(
    tmp_path: Path, old: str, new: str, line: int, says: str
) -> None:
    assert old in WHOLE
    with pytest.raises(ProtocolUnusable) as raised:
        read(tmp_path, WHOLE.replace(old, new))
    assert str(raised.value).startswith(f"{tmp_path / 'review.toml'}:{line} cannot be read (")
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["rubric = 3", "rubric = []", "[rubric]\nproperties = 3"])
def test_a_rubric_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ProtocolUnusable, match="rubric"):
        read(tmp_path, text)


def test_a_long_line_takes_no_long_time(tmp_path: Path) -> None:
    text = "reviewers = 0\n" + "a." * 20_000 + "b = 1\n"
    with pytest.raises(ProtocolUnusable):
        read(tmp_path, text[: 1 << 15])


def test_others_verdicts_are_hidden_until_ones_own_is_given() -> None:
    blind = ReviewProtocol(blind=True, adjudicators=("lea",), leads=("max",))
    assert not blind.may_see("r1", ("r2",))
    assert not blind.may_see(None, ("r2",))
    assert blind.may_see("r1", ("r1", "r2"))
    assert blind.may_see("lea", ())
    assert blind.may_see("max", ())
    assert ReviewProtocol().may_see(None, ("r2",))
