"""`/done`, with and without words, at the prompt and in the inbox."""

from __future__ import annotations

import pytest

from sii_cli.session.done_words import parse_done


@pytest.mark.parametrize(
    ("words", "done", "rest"),
    [
        ("", True, ""),
        ("no", False, ""),
        ("No, the test fails.", False, "the test fails."),
        (" NO\nas said ", False, "as said"),
        ("no: see below", False, "see below"),
        ("(as agreed)", True, "(as agreed)"),
        ("no-one complained", True, "no-one complained"),
        ("nothing is left", True, "nothing is left"),
    ],
)
def test_only_the_word_no_says_that_it_is_not_done(words: str, done: bool, rest: str) -> None:
    assert parse_done(words) == (done, rest)
