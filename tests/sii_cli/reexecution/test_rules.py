"""What rules let differ, what they do not, and that they are data."""

from __future__ import annotations

import string
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sii_cli.errors import UsageError
from sii_cli.reexecution.compare import ComparedObservation, compare
from sii_cli.reexecution.rules import apply_all, load_rules, needed

RULES = load_rules()
EVERYWHERE = [rule for rule in RULES if rule.when is None and rule.error is None]

SAME_BUT = {
    "http-dates": ("Date: Tue, 24 Nov 2026 18:43:37 GMT", "Date: Wed, 25 Nov 2026 08:01:02 GMT"),
    "calendar-times": ("Tue Nov 24 18:43:37 UTC 2026", "Wed Nov  4 08:43:07 UTC 2026"),
    "iso-times": ("at 2026-11-24T18:43:37.123Z", "at 2026-12-01T08:00:01.9Z"),
    "dates": ("day 2026-11-24", "day 2026-12-01"),
    "clock-times": ("[18:43:37] go", "[08:00:59] go"),
    "unix-times": ("t=1795545817.12", "t=1795549999.9"),
    "durations": ("3 passed in 0.12s", "3 passed in 10.5s"),
    "rule-lines": ("===== ok =====", "======= ok ======="),
    "rates": ("12.3 MB/s", "8.25 MB/s"),
    "addresses": ("<A object at 0x7f1c2a3b4d50>", "<A object at 0x7fffa1b2c3d0>"),
    "ports": ("on 127.0.0.1:43121", "on 127.0.0.1:60999"),
    "pids": ("[1] 1234", "[1] 87"),
    "temp-names": ("/tmp/tmpa1b2c3d4/x", "/tmp/tmpzzzz9_8q/x"),
    "uuids": ("6f1c2f0e-4a7b-4d0e-9b1e-2f7c1f0d9a3b", "00000000-4a7b-4d0e-9b1e-2f7c1f0d9a3b"),
}


@pytest.mark.parametrize(("name", "texts"), SAME_BUT.items(), ids=SAME_BUT)
def test_the_rule_that_was_needed_is_named(name: str, texts: tuple[str, str]) -> None:
    found = needed(EVERYWHERE, texts)
    assert found is not None
    assert [rule.name for rule in found] == [name]


@pytest.mark.parametrize(
    ("call", "texts", "names"),
    [
        ("bash ls -l", ("-rw 5 Nov 24 18:43 a", "-rw 5 Nov  4  2025 a"), ("list-times",)),
        ("bash ps", ("PID CMD\n 12 bash", "PID CMD\n999 bash"), None),
        ("bash ps", ("PID CMD\n12 bash", "PID CMD\n999 bash"), ("process-tables",)),
        ("bash find .", ("./a\n./b", "./b\n./a"), ("unordered",)),
        ("bash cat x", ("./a\n./b", "./b\n./a"), None),
        ("bash git log", ("commit 0a1b2c3d4e", "commit ffffffffff"), ("git-hashes",)),
        ("bash cat x", ("commit 0a1b2c3d4e", "commit ffffffffff"), None),
        ("bash cat .env", ("KEY=‹redacted:KEY› # x", "KEY=sesame # x"), ("redacted",)),
        ("bash cat .env", ("KEY=‹redacted:KEY› # x", "KEY=sesame # y"), None),
    ],
)
def test_some_rules_are_for_some_calls(
    call: str, texts: tuple[str, str], names: tuple[str, ...] | None
) -> None:
    found = compare(call, ComparedObservation(texts[0]), ComparedObservation(texts[1]), RULES)
    assert found.rules == (names or ())
    assert found.verdict == ("different" if names is None else "equal")


def test_a_command_stopped_at_its_limit_may_have_said_more() -> None:
    before = ComparedObservation("1\n2\n[timed out after 2 s]", error="timeout")
    more = ComparedObservation("1\n2\n3\n[timed out after 2 s]", error="timeout")
    other = ComparedObservation("1\n3\n[timed out after 2 s]", error="timeout")
    assert compare("bash seq", before, more, RULES).rules == ("until-the-time-limit",)
    assert compare("bash seq", before, other, RULES).verdict == "different"


words = st.text(alphabet=string.ascii_letters, min_size=1, max_size=12)
any_text = st.text(max_size=400) | st.lists(words, max_size=20).map("\n".join)


@given(any_text)
def test_what_is_the_same_needs_no_rule(text: str) -> None:
    assert needed(RULES, (text, text)) == ()
    before, now = apply_all(RULES, (text, text))
    assert before == now


@given(st.lists(words, min_size=1, max_size=10), st.integers(0, 9), words)
def test_another_word_is_never_let_through(lines: list[str], at: int, other: str) -> None:
    changed = list(lines)
    changed[at % len(lines)] = other
    texts = ("\n".join(lines), "\n".join(changed))
    # Those of other kinds let lines come in another order, or a text end sooner, on purpose.
    found = needed([rule for rule in RULES if rule.kind not in ("unordered", "prefix")], texts)
    assert (found is None) == (texts[0] != texts[1])


@given(words, st.integers(0, 999), st.integers(0, 999))
def test_a_count_is_no_time(word: str, one: int, other: int) -> None:
    texts = (f"{one} files {word}", f"{other} files {word}")
    assert (needed(EVERYWHERE, texts) is None) == (one != other)


@given(st.floats(0, 9999), st.floats(0, 9999), st.sampled_from(["s", "ms", "seconds"]))
def test_any_duration_may_differ(one: float, other: float, unit: str) -> None:
    texts = (f"took {one:.3f} {unit}", f"took {other:.3f} {unit}")
    assert needed(EVERYWHERE, texts) is not None


@pytest.mark.parametrize(
    "text",
    [
        "1." * 20_000,
        "pip-" * 10_000,
        "=" * 40_000,
        "a" * 40_000,
        "1" * 40_000,
        ("0" * 39 + " ") * 999,
    ],
    ids=lambda text: text[:4],
)
def test_hostile_text_costs_little(text: str) -> None:
    begun = time.monotonic()
    compare(
        "bash git ls -i ps find", ComparedObservation(text), ComparedObservation(f"{text}x"), RULES
    )
    assert time.monotonic() - begun < 20


def test_rules_of_ones_own_come_first_and_replace(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[[rule]]\nname = "build"\npattern = "build-\\\\d+"\nwith = "<build>"\n'
        '[[rule]]\nname = "durations"\npattern = "never this"\n'
    )
    rules = load_rules([own])
    assert [rule.name for rule in rules[:2]] == ["build", "durations"]
    assert [rule.name for rule in needed(rules, ("build-1", "build-2")) or ()] == ["build"]
    assert (
        compare("bash x", ComparedObservation("1 s"), ComparedObservation("2 s"), rules).verdict
        == "different"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[rule]]\nname = 'x'\npattern = '('\n", "is not a regular expression"),
        ("[[rule]]\nname = 'x'\n", "has a pattern where it needs one"),
        ("[[rule]]\nname = 'x'\npattern = 'a'\nwhat = 1\n", "rule.0.what"),
        ("[[rule", "cannot be read"),
    ],
)
def test_rules_that_do_not_fit_are_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(text)
    with pytest.raises(UsageError, match=r"The rules in .*") as error:
        load_rules([own])
    assert says in str(error.value)
