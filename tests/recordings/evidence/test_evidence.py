"""Claims of answers and reports, and the observations that they come from."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from recordings.evidence.claims import LONGEST_TEXT, find_claims
from recordings.evidence.evidence import MOST_CLAIMS, Standing, read_evidence, unsourced_steps
from tests.recordings.stepped_session import SteppedSession


def claims(text: str) -> list[tuple[str, str]]:
    return [(one.kind, one.text) for one in find_claims(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See https://a.example/x?y=1#z.", [("address", "https://a.example/x?y=1#z")]),
        ("([one](https://a.example/1))", [("address", "https://a.example/1")]),
        ("doi:10.1000/lamps.3, and", [("paper", "10.1000/lamps.3")]),
        ("https://doi.org/10.1000/LAMPS", [("address", "https://doi.org/10.1000/LAMPS")]),
        ("as in arXiv:2509.17567", [("paper", "arXiv:2509.17567")]),
        (
            "I changed src/money.py and `notes.md`.",
            [("file", "src/money.py"), ("file", "notes.md")],
        ),
        (
            "It grew 45.67 % and 12,345 fell to 0.5.",
            [*(("number", n) for n in ("45.67 %", "12,345", "0.5"))],
        ),
        ("1.2 million users, 300 errors", [("number", "1.2 million"), ("number", "300")]),
    ],
)
def test_what_is_claimed(text: str, found: list[tuple[str, str]]) -> None:
    kinds = {one.text: one.kind for one in find_claims(text)}
    expected = {text: kind for kind, text in found}
    if "doi.org" in text:
        expected = {"https://doi.org/10.1000/LAMPS": "paper"}
    assert kinds == expected


@pytest.mark.parametrize(
    "text",
    [
        "In 2026 and 1999 there were 14 tests.",
        "1. first\n2. second\n10. tenth",
        "On 2026-11-30 at 12:30:15, or 30.11.2026.",
        "Python 3.11, version 1.26.4, v2.0.1, CUDA 12.1 and GPT-4.1",
        "Section 4.2, Table 3, line 120, port 8080, HTTP 404, page 312",
        "```\nx = 123.456\n```\nand `0.85` in code",
        "and/or, e.g. this, i.e. that, Node.js, np.mean, self.x",
        "commit 1234567a and abc-12345 and #4512",
        "",
    ],
)
def test_what_is_no_claim(text: str) -> None:
    assert claims(text) == []


def standings(session: SteppedSession, folder: Path) -> dict[str, Standing]:
    session.recorder.close()
    return {one.claim.text: one.standing for one in read_evidence(folder)}


@pytest.mark.parametrize(
    ("number", "observed", "standing"),
    [
        ("45.67 %", "loss: 45.67 %", "sourced"),
        ("45.7 %", "loss: 45.67", "sourced"),
        ("45.7 %", "share 0.4567", "sourced"),
        ("45.7 %", "45.64", "no_source"),
        ("12,345", "total=12345", "sourced"),
        ("12345", "12,345.4 files", "sourced"),
        ("1.2 million", "1,234,567", "sourced"),
        ("1.2 million", "1,254,567", "no_source"),
        ("18,036.04", "(1803604, True)", "sourced"),
        ("0.001", "1e-3", "sourced"),
        ("123456.7 %", "It grew 45.67 %.", "no_source"),
    ],
)
def test_a_number_has_a_source_also_rounded_and_as_a_share(
    tmp_path: Path, number: str, observed: str, standing: Standing
) -> None:
    session = SteppedSession(tmp_path)
    session.message("How much?")
    session.call("bash", '{"command": "./count"}', text=observed)
    session.answer(f"It is {number} in all.")
    assert standings(session, tmp_path) == {number: standing}


def test_what_only_a_search_shows_was_never_opened(tmp_path: Path) -> None:
    session = SteppedSession(tmp_path)
    session.message("Who won? See https://given.example/0")
    found = "https://a.example/1 https://b.example/2 10.1000/lamps 77.7 %"
    session.call("web_search", '{"query": "who won"}', text=found)
    session.call("web_fetch", '{"url": "https://a.example/1/"}', text="A won by 12.5 points")
    session.call("papers", '{"query": "10.1000/looked.up"}', text="A paper.")
    session.answer(
        "A (https://a.example/1, https://given.example/0), 12.5 points, doi.org/10.1000/looked.up; "
        "B (https://b.example/2), 77.7 %, 10.1000/lamps; C (https://c.example/3), 10.1000/none."
    )
    assert standings(session, tmp_path) == {
        "https://a.example/1": "sourced",
        "https://given.example/0": "sourced",
        "12.5": "sourced",
        "10.1000/looked.up": "sourced",
        "https://b.example/2": "never_opened",
        "77.7 %": "never_opened",
        "10.1000/lamps": "never_opened",
        "https://c.example/3": "no_source",
        "10.1000/none": "no_source",
    }


def test_a_longer_address_is_another_one_and_a_failed_call_opens_nothing(tmp_path: Path) -> None:
    session = SteppedSession(tmp_path)
    session.message("Look.")
    session.call("web_fetch", '{"url": "https://a.example/1/annex"}', text="x")
    session.call("web_fetch", '{"url": "https://b.example/2"}', text="no", error="http_error")
    session.answer("https://a.example/1 and https://b.example/2")
    assert set(standings(session, tmp_path).values()) == {"no_source"}


def test_a_report_is_no_source_of_itself(tmp_path: Path) -> None:
    session = SteppedSession(tmp_path)
    session.message("Write a report.")
    report = {"path": "out/report.md", "content": "It fell by 33.3 % (https://a.example/1)."}
    session.call("write_file", json.dumps(report), text="33.3 %")
    session.call("bash", '{"command": "cat out/report.md"}', text=report["content"])
    session.answer("The report `report.md` says 33.3 %.")
    assert standings(session, tmp_path) == {
        "https://a.example/1": "no_source",
        "33.3 %": "no_source",
        "report.md": "sourced",
    }
    steps = unsourced_steps(tmp_path)
    assert list(steps.values()) == ["33.3 %: no source", "https://a.example/1: no source"]


def test_a_source_comes_before_the_claim(tmp_path: Path) -> None:
    session = SteppedSession(tmp_path)
    session.message("How much?")
    session.answer("It is 55.5 %.")
    session.message("Sure?")
    session.call("bash", '{"command": "./count"}', text="55.5 %")
    session.answer("Yes: 55.5 %.")
    session.recorder.close()
    assert [one.standing for one in read_evidence(tmp_path)] == ["no_source", "sourced"]


HOSTILE = (
    "https://" * 25_000,
    "10.1234/" * 25_000,
    "a/" * 100_000,
    "1," * 100_000,
    "1.2.3." * 30_000,
    "`" * 200_000,
    "```" * 60_000,
    "arxiv.org/abs/" * 14_000,
    "9" * 200_000,
    "1e9" * 60_000,
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_takes_linear_time(text: str) -> None:
    began = time.process_time()
    find_claims(text[:LONGEST_TEXT])
    assert time.process_time() - began < 5


def test_many_claims_over_many_numbers_take_bounded_time(tmp_path: Path) -> None:
    session = SteppedSession(tmp_path)
    session.message("Numbers?")
    session.call("bash", '{"command": "seq"}', text=" ".join(map(str, range(200_000))))
    session.answer(" ".join(f"{number + 0.5:,}" for number in range(10**6, 10**6 + 300)))
    session.recorder.close()
    began = time.process_time()
    assert len(read_evidence(tmp_path)) == 200
    assert time.process_time() - began < 10


def test_many_answers_over_many_observations_take_bounded_time(tmp_path: Path) -> None:
    session = SteppedSession(tmp_path)
    session.message("Pages?")
    for number in range(60):
        session.call("bash", '{"command": "ls"}', text="https://a.example/0/0 " * 1_500)
        session.answer(" ".join(f"https://a.example/{number}/{one}" for one in range(200)))
    session.recorder.close()
    began = time.process_time()
    found = read_evidence(tmp_path)
    assert time.process_time() - began < 10
    assert len(found) == MOST_CLAIMS
    assert found[0].standing == "never_opened"


def test_claims_are_compared_with_a_long_recording_for_a_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recordings.evidence.evidence._MOST_COMPARED", 100_000)
    looked: list[str] = []

    def has(text: str, needle: str) -> bool:
        looked.append(needle)
        return needle in text

    monkeypatch.setattr("recordings.evidence.evidence._has", has)
    session = SteppedSession(tmp_path)
    session.message("Which files?")
    for _ in range(100):
        session.call("bash", '{"command": "ls"}', text="src/a.py")
    session.answer("`src/a.py`, " + ", ".join(f"`src/b{n}.py`" for n in range(9)))
    assert standings(session, tmp_path) == {"src/a.py": "sourced"}
    assert len(looked) < 150


def test_many_numbers_over_many_observations_are_found_in_little_time(tmp_path: Path) -> None:
    session = SteppedSession(tmp_path)
    session.message("Numbers?")
    for number in range(1000):
        session.call("bash", '{"command": "seq"}', text=str(number % 10))
    for k in range(5):
        session.answer(" ".join(f"{1000 * k + 3 * n}.25" for n in range(200)))
    session.recorder.close()
    began = time.process_time()
    found = read_evidence(tmp_path)
    assert len(found) > 900
    assert time.process_time() - began < 0.6


def test_many_reports_are_looked_for_in_arguments_for_a_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recordings.evidence.evidence._MOST_COMPARED", 10_000)
    session = SteppedSession(tmp_path)
    session.message("Reports?")
    for number in range(20):
        report = {"path": f"{number}.md", "content": "Nothing."}
        session.call("write_file", json.dumps(report), text="written")
    session.call("bash", '{"command": "ls"}', text="77.7 %")
    session.answer("It is 77.7 %.")
    assert standings(session, tmp_path) == {}


def test_repeated_claims_are_listed_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recordings.evidence.evidence._MOST_MADE", 5)
    session = SteppedSession(tmp_path)
    session.message("How many?")
    for _ in range(10):
        session.answer("It is 55.5 %.")
    session.recorder.close()
    assert len(read_evidence(tmp_path)) == 5
