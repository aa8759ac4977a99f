"""The consent of speakers: asked once, recorded, known to exports, withdrawn."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recordings.events import Consent
from recordings.storage.log import read_events
from recordings.trust.consents import TEXT_SHA256, find_consent, withdrawn
from tests.fakes.consenting import consented
from tests.sii_cli.shell import Done, Shell


def consents(shell: Shell) -> list[Consent]:
    return [one.data for one in read_events(shell.last()) if isinstance(one.data, Consent)]


def record(shell: Shell, speaker: str = "ada") -> str:
    done = shell.sii("-p", "go", "--speaker", speaker, script="hello")
    assert done.returncode == 0, done.stderr
    return shell.last().name


def export(shell: Shell, out: str) -> Done:
    return shell.sii("export", out, "--format", "messages", "--all")


def rows(shell: Shell, out: str, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (shell.workspace / out / name).read_text().splitlines()]


def test_without_a_prompt_nobody_is_asked_and_that_is_recorded(shell: Shell) -> None:
    record(shell)
    assert consents(shell) == [Consent(speaker="ada", asked=False)]


def test_a_session_without_a_speaker_says_nothing_of_consent(shell: Shell) -> None:
    assert shell.sii("-p", "go", script="hello").returncode == 0
    assert consents(shell) == []


def test_the_prompt_asks_once_and_each_recording_has_the_answer(shell: Shell) -> None:
    shell.home.mkdir()
    (shell.home / "config.toml").write_text('speaker = "ada"\nask_at_exit = false\n')
    terminal = shell.terminal(script="hello")
    terminal.wait_for("May models be trained with your sessions? y yes · n no")
    terminal.send("y")
    terminal.wait_for("May they be given to others")
    terminal.send("y")
    terminal.wait_for("Under which licence")
    terminal.send("1")
    terminal.wait_for("Kept.")
    terminal.send("go\r")
    terminal.wait_for("Hello there.")
    terminal.send("/exit\r")
    assert terminal.exit_code() == 0
    [said] = consents(shell)
    assert (said.asked, said.training, said.leaves_team) == (True, True, True)
    assert (said.license, said.text_sha256) == ("CC-BY-4.0", TEXT_SHA256)
    again = shell.terminal(script="hello")
    again.wait_for("sandbox ready")
    again.pump(0.5)
    assert "May models be trained" not in again.everything()
    again.send("/exit\r")
    again.exit_code()


def test_a_skipped_question_keeps_nothing(shell: Shell) -> None:
    shell.home.mkdir()
    (shell.home / "config.toml").write_text('speaker = "ada"\n')
    terminal = shell.terminal(script="hello")
    terminal.wait_for("May models be trained")
    terminal.send("\r")
    terminal.wait_for("May models be trained", gone=True)
    terminal.send("/exit\r")
    terminal.exit_code()
    assert find_consent(shell.home, "ada") is None


def test_an_export_knows_consent_and_leaves_out_who_refuses(shell: Shell) -> None:
    consented(shell.home, "ada")
    consented(shell.home, "bob", training=False)
    ada, bob = record(shell), record(shell, "bob")
    done = export(shell, "out")
    assert done.returncode == 0, done.stderr
    assert [
        (one["recording"], one["consent"]) for one in rows(shell, "out", "provenance.jsonl")
    ] == [(ada, "given")]
    [left] = [one for one in rows(shell, "out", "left_out.jsonl") if one["recording"] == bob]
    assert left["reason"] == "no_consent"
    card = (shell.workspace / "out" / "README.md").read_text()
    assert "| consent of the speakers | given 1 |" in card


def test_who_refuses_is_left_out_also_where_another_began(shell: Shell) -> None:
    consented(shell.home, "ada")
    consented(shell.home, "bob", training=False)
    name = record(shell)
    resumed = shell.sii(
        "-p", "more", "-r", name, "--speaker", "bob", "--allow-person", "ada", script="hello"
    )
    assert resumed.returncode == 0, resumed.stderr
    other = record(shell)
    assert export(shell, "out").returncode == 0
    assert [one["recording"] for one in rows(shell, "out", "provenance.jsonl")] == [other]
    [left] = rows(shell, "out", "left_out.jsonl")
    assert (left["recording"], left["detail"]) == (name, "bob does not consent")


def test_what_one_of_two_speakers_keeps_in_the_team_stays_there(shell: Shell) -> None:
    consented(shell.home, "ada")
    consented(shell.home, "bob", leaves=False)
    name, options = record(shell), ("--speaker", "bob", "--allow-person", "ada")
    assert shell.sii("-p", "more", "-r", name, *options, script="hello").returncode == 0
    other = record(shell)
    done = export(shell, "out")
    assert "1 recording that may not leave the team (bob)." in done.stderr
    assert [one["recording"] for one in rows(shell, "out", "provenance.jsonl")] == [other]


def test_a_recording_says_itself_what_its_second_speaker_allows(shell: Shell) -> None:
    """In a home of others, which has no answers: the answer that allows least holds."""
    consented(shell.home, "ada")
    consented(shell.home, "bob", leaves=False)
    name, options = record(shell), ("--speaker", "bob", "--allow-person", "ada")
    for _ in range(2):
        assert shell.sii("-p", "more", "-r", name, *options, script="hello").returncode == 0
    assert {one.speaker: one.leaves_team for one in consents(shell)} == {"ada": True, "bob": False}
    other = record(shell)
    (shell.home / "consents.jsonl").unlink()
    done = export(shell, "out")
    assert "1 recording that may not leave the team (bob)." in done.stderr
    assert [one["recording"] for one in rows(shell, "out", "provenance.jsonl")] == [other]


def test_what_may_not_leave_the_team_is_exported_within_it_alone(shell: Shell) -> None:
    consented(shell.home, "ada")
    consented(shell.home, "bob", leaves=False)
    ada, bob = record(shell), record(shell, "bob")
    assert shell.sii("-p", "go", script="hello").returncode == 0
    unknown = shell.last().name
    options = ("--format", "messages", "--all", "--dedupe", "off")
    done = shell.sii("export", "out", *options)
    assert done.returncode == 0, done.stderr
    assert "1 recording that may not leave the team (bob). `--within-team` exports" in done.stderr
    exported = {one["recording"] for one in rows(shell, "out", "provenance.jsonl")}
    assert exported == {ada, unknown}
    card = (shell.workspace / "out" / "README.md").read_text()
    assert "| consent of the speakers | given 1, unknown 1 |" in card
    done = shell.sii("export", "in", *options, "--within-team")
    assert "may not leave" not in done.stderr
    exported = {one["recording"] for one in rows(shell, "in", "provenance.jsonl")}
    assert exported == {ada, bob, unknown}
    card = (shell.workspace / "in" / "README.md").read_text()
    assert "within_team 1" in card


def test_a_withdrawal_blocks_later_exports_and_names_those_before(shell: Shell) -> None:
    consented(shell.home, "ada")
    record(shell)
    other = record(shell, "bob")
    assert export(shell, "before").returncode == 0
    done = shell.sii("withdraw", "--speaker", "ada")
    assert done.stdout.splitlines() == [
        "No later export has the work of ada: 1 recording in this home.",
        f"{shell.workspace}/before/README.md has 1 recording",
    ]
    assert export(shell, "after").returncode == 0
    assert {one["recording"] for one in rows(shell, "after", "provenance.jsonl")} == {other}
    consented(shell.home, "ada")
    assert withdrawn(shell.home) == {"ada"}


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"speaker": 1}', "\x00"])
def test_consents_that_cannot_be_read_stop_an_export(shell: Shell, line: str) -> None:
    record(shell)
    (shell.home / "consents.jsonl").write_text(line + "\n")
    done = export(shell, "out")
    assert done.returncode != 0
    assert "Line 1 of" in done.stderr
    assert "is not a consent" in done.stderr
