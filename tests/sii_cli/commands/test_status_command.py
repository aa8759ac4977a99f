"""`sii status` shows the collection at a glance; a session that departs from the pins is marked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recordings.events import Check, QueryOutcome
from recordings.store.store import RecordingStore
from recordings.trust.home_key import home_key
from tests.recordings.recording_sessions import FakeSession, record_session
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import Terminal


def status(shell: Shell, *args: str) -> dict[str, Any]:
    done = shell.sii("status", "--json", *args)
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def attempt(shell: Shell, batch: str, query: str, outcome: str, seed: int) -> Path:
    def end(session: FakeSession) -> None:
        said = {"status": outcome, "seconds": 1.0, "rounds": 1, "steps": 1}
        kept = {name: value for name, value in said.items() if name in QueryOutcome.model_fields}
        session.note(QueryOutcome.model_validate(kept), "harness")
        session.end()

    _, folder = RecordingStore(shell.home / "batches" / batch / "recordings").create_folder()
    about: dict[str, Any] = {"batch": batch, "query": query, "attempt": 1, "mode": "batch"}
    record_session(folder, rounds=1, steps=1, seed=seed, change=end, key=shell.key, **about)
    return folder


def test_an_empty_home_says_how_to_begin(shell: Shell) -> None:
    facts = status(shell)
    assert facts["recordings"] == 0
    assert [one["command"] for one in facts["next"]] == ["sii", "sii batch FILE"]
    assert "no trajectory yet (LIMI 13k / mean 42.4k / 152k)" in shell.sii("status").stdout


def test_nobody_is_asked_to_review_what_is_set_aside(shell: Shell) -> None:
    for number, passed in enumerate((True, False)):
        check = Check(round=1, command="pytest", exit_code=1, passed=passed, seconds=1.0)

        def end(session: FakeSession, check: Check = check) -> None:
            session.note(check, "harness")
            session.end()

        shell.recorded(rounds=1, steps=1, seed=number, change=end)
    assert [one["why"] for one in status(shell)["next"]] == ["2 wait for a review"]
    (shell.home / "review.toml").write_text('set_aside = ["failed_check"]\n')
    facts = status(shell)
    assert facts["set_aside"] == {"failed_check": 1, "all": 1}
    assert [one["why"] for one in facts["next"]] == ["1 waits for a review"]


def test_nobody_is_asked_to_review_what_cannot_be_read(shell: Shell) -> None:
    (shell.recorded(rounds=1, steps=1) / "reviews.jsonl").mkdir()
    facts = status(shell)
    assert facts["states"] == {"damaged": 1}
    assert (facts["standings"], facts["next"]) == ({}, [])
    assert "damaged 1" in shell.sii("status").stdout


def test_the_collection_at_a_glance(shell: Shell, tmp_path: Path) -> None:
    shell.home.mkdir(exist_ok=True)
    (shell.home / "config.toml").write_text("[collection]\ngoal = 2\n")
    own = shell.recorded(rounds=1, steps=2)
    first = attempt(shell, "monday", "q1", "solved", 1)
    attempt(shell, "monday", "q2", "unsolved", 2)
    attempt(shell, "night", "q1", "infra", 3)
    for folder in (own, first):
        assert shell.sii("approve", folder.name, "--speaker", "ann").returncode == 0
    facts = status(shell)
    assert facts["goal"] == 2
    assert facts["recordings"] == 4
    assert facts["standings"] == {"approved": 2, "unreviewed": 2}
    assert facts["batches"] == {"monday": {"solved": 1, "unsolved": 1}, "night": {"infra": 1}}
    assert facts["queries"] == 2
    assert sum(facts["modes"].values()) == 1
    stats = json.loads(shell.sii("stats", "--json").stdout)["tokens"]
    assert facts["tokens"] == {name: stats[name] for name in ("min", "median", "max")}
    commands = [one["command"] for one in facts["next"]]
    assert commands == [
        "sii review",
        f"sii batch --resume {shell.home / 'batches' / 'night'}",
        "sii export OUT --format slime",
    ]
    lines = shell.sii("status").stdout.splitlines()
    assert lines[0] == "home · goal 2 approved · 2 approved (100%)"
    assert "monday  solved 1 · unsolved 1" in "\n".join(lines)


@pytest.mark.parametrize("columns", [200, 80, 40, 24])
def test_it_fits_every_terminal(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    attempt(shell, "a-batch-with-a-rather-long-name", "q1", "solved", 1)
    attempt(shell, "測試" * 10, "q1", "unsolved", 2)
    monkeypatch.setenv("COLUMNS", str(columns))
    from rich.cells import cell_len

    lines = shell.sii("status").stdout.splitlines()
    wide = [line for line in lines if cell_len(line) > columns]
    assert all("sii " in line for line in wide)  # a command is whole in its line


def test_pins_mark_a_departure(shell: Shell, tmp_path: Path) -> None:
    first = shell.sii("-p", "hi", "--temperature", "0.5", script="hello")
    assert first.returncode == 0, first.stderr
    assert "departs from" not in first.stderr
    done = shell.sii("config", "--pin", "last")
    assert done.returncode == 0, done.stderr
    assert "temperature=0.5" in done.stdout
    assert shell.sii("config", "--pin", "last").returncode == 2
    same = shell.sii("-p", "hi", "--temperature", "0.5", script="hello")
    assert "departs from" not in same.stderr
    assert status(shell)["departing"] == 0
    prompt = tmp_path / "prompt.md"
    prompt.write_text("Another one.")
    flags = ("--system-prompt", str(prompt), "--temperature", "0.5")
    other = shell.sii("-p", "hi", *flags, script="hello")
    assert other.returncode == 0
    assert "departs from what the collection pins: system_prompt (" in other.stderr
    facts = status(shell)
    assert (facts["departing"], facts["departures"]) == (1, {"system_prompt": 1})
    assert "1 session departs from them: system prompt 1" in shell.sii("status").stdout
    assert facts["next"][-1]["command"] == "sii config"
    shown = json.loads(shell.sii("config", "--json").stdout)
    source = str(shell.home / "config.toml")
    assert shown["pins.sampling"]["source"] == source
    assert "temperature=0.5" in shown["pins.sampling"]["value"]
    assert "pins.system_prompt" in shell.sii("config").stdout
    data = tmp_path / "data"
    done = shell.sii("export", str(data), "--format", "messages", "--all")
    assert done.returncode == 0, done.stderr
    assert "2 combinations of system prompt and tools are in it" in done.stderr
    assert "depart from the pins: system_prompt 1" in done.stderr
    card = (data / "README.md").read_text()
    assert "system prompts and tools that differ" in card
    assert "recordings that depart from the pins" in card


def test_the_prompt_shows_a_departure_in_its_status_line(shell: Shell) -> None:
    shell.sii("-p", "hi", script="hello")
    assert shell.sii("config", "--pin", "last").returncode == 0
    terminal: Terminal = shell.terminal("--top-p", "0.5", script="hello")
    terminal.wait_for("departs: sampling")
    terminal.send("\x04")
    assert terminal.exit_code() == 0


def test_the_table_is_checked(shell: Shell) -> None:
    home_key(shell.home)
    for text, why in (
        ("collection = 1", "is not a table"),
        ("[collection]\ngaol = 3", "has no 'gaol'"),
        ("[collection]\ngoal = true", "whole number of at least 1"),
        ("[collection.pins]\nmodel = 'x'", "cannot be pinned"),
        ("[collection.pins]\nimage = 1", "wants a text"),
    ):
        (shell.home / "config.toml").write_text(text)
        done = shell.sii("status")
        assert done.returncode == 2, text
        assert why in done.stderr


def test_pins_keep_the_file_and_its_rights(shell: Shell) -> None:
    shell.sii("-p", "hi", script="hello")
    config = shell.home / "config.toml"
    config.write_text('api_key = "secret"\n[collection]\ngoal = 5')
    config.chmod(0o600)
    assert shell.sii("config", "--pin", "last").returncode == 0
    assert config.read_text().startswith('api_key = "secret"\n[collection]\ngoal = 5\n')
    assert config.stat().st_mode & 0o777 == 0o600
    assert status(shell)["goal"] == 5


@pytest.mark.hostile
def test_a_pin_that_no_setting_has_does_not_break_the_homes_file(shell: Shell) -> None:
    shell.recorded(rounds=1, steps=1, settings={"image": "x" * (2 << 20)})
    done = shell.sii("config", "--pin", "last")
    assert done.returncode == 2
    assert "Its image has more than 1,000 characters" in done.stderr
    assert shell.sii("config").returncode == 0
