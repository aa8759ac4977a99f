"""Failures that only the output of a program reports."""

from __future__ import annotations

import pytest

from recordings.events import Event, Observation
from recordings.storage.failing_output import shows_failure
from recordings.storage.line_index import EDIT, ERROR, _marks
from recordings.storage.lines import encode_event


def line(text: str, **fields: object) -> bytes:
    said = {"step": 1, "call_id": "c", "name": "bash", "text": text, "exit_code": 0, "seconds": 0.1}
    event = Event("s", 0, 0.0, 0.0, "tool", Observation.model_validate(said | fields))
    return encode_event(event)[0].rstrip(b"\n")


@pytest.mark.parametrize(
    "text",
    [
        "1 failed, 4 passed in 0.02s",
        "....F\n1 failed, 4 passed in 0.02s",
        "\x1b[31m1 failed\x1b[0m, 4 passed",
        "===== 2 errors in 0.10s =====",
        "Ran 3 tests\n\nFAILED (failures=1)",
        "--- FAIL: TestSplit (0.00s)",
        "Traceback (most recent call last):\n  File …\nKeyError: 'a'",
        "thread 'main' panicked at src/main.rs:2:5",
        "money.c:3:5: error: expected ';'",
        "bash: line 1: pyyaml: command not found",
        "make: *** [Makefile:2: all] Error 1",
    ],
)
def test_a_failure_is_seen_although_the_code_is_0(text: str) -> None:
    assert shows_failure(line(text))
    assert _marks("observation", line(text)) & ERROR


@pytest.mark.parametrize(
    "text",
    [
        "4 passed in 0.02s",
        "0 failed, 4 passed",
        "no error was found; 0 errors",
        "the login failed message is in auth.py",
        "10 of 10 passed",
        "1 failed" + " and so it was" * 500 + "\nall passed",
    ],
)
def test_words_about_failures_are_none(text: str) -> None:
    assert not shows_failure(line(text))
    assert not _marks("observation", line(text)) & ERROR


def test_what_another_tool_returned_is_not_output() -> None:
    assert not shows_failure(line("Traceback (most recent call last):", name="read_file"))


@pytest.mark.parametrize(
    ("fields", "failed"),
    [
        *(({"exit_code": 1}, True), ({"exit_code": -9}, True), ({"error": "timeout"}, True)),
        *(({"exit_code": None}, False), ({"details": {"exit_code": 0}}, False)),
    ],
)
def test_the_code_and_the_error_count(fields: dict[str, object], failed: bool) -> None:
    assert bool(_marks("observation", line("…", **fields)) & ERROR) is failed


def test_a_call_that_changed_files_is_marked() -> None:
    assert _marks("observation", line("…", changed=["a.py"])) & EDIT
    assert not _marks("observation", line('"changed":["a.py"]')) & EDIT
