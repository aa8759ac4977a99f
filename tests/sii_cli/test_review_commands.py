"""`sii review`, `approve`, `reject` and `reviews`: recordings are judged, by name, as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recordings.events import ModelResponse, Observation, UserMessage
from recordings.log import LOG, read_events
from recordings.recorder import Recorder
from recordings.reviews import read_reviews
from tests.sii_cli.shell import Done, Shell
from tests.sii_cli.terminal import Terminal


@pytest.fixture
def folder(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SII_SPEAKER", "ada")
    return shell.recorded(rounds=1, steps=2)


def events_of(folder: Path, kind: type) -> list[int]:
    return [event.seq for event in read_events(folder) if isinstance(event.data, kind)]


def review(shell: Shell, *lines: str, args: tuple[str, ...] = ()) -> Done:
    return shell.sii("review", "last", *args, stdin="".join(f"{line}\n" for line in lines))


def test_approve_and_reject_name_the_reviewer_and_the_last_verdict_counts(
    shell: Shell, folder: Path
) -> None:
    assert shell.sii("approve", "last").stdout == f"{folder.name}  is approved\n"
    assert "is rejected" in shell.sii("reject", "last", "--why", "it cheats").stdout
    shown = shell.sii("reviews", "last").stdout
    assert "ada approves\n" in shown
    assert "ada rejects: it cheats\n" in shown
    assert shown.endswith("is rejected\n")
    last = json.loads(shell.sii("reviews", "last", "--json").stdout.splitlines()[-1])
    assert (last["reviewer"], last["verdict"], last["holds"]) == ("ada", "reject", True)


def test_recordings_are_judged_from_anywhere(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also from the home directory, which holds the recordings and is no workspace."""
    monkeypatch.chdir(folder.parent.parent)
    for command in (("approve", "last"), ("scan", "last"), ("stats",), ("list",)):
        assert shell.sii(*command).returncode == 0, command


def test_several_reviewers_are_judged_by_the_policy(shell: Shell, folder: Path) -> None:
    shell.sii("approve", "last")
    assert "is approved" in shell.sii("reject", "last", "--why", "no", "--speaker", "bob").stdout
    done = shell.sii("reviews", "last", SII_APPROVAL_POLICY="all")
    assert "is rejected (2 reviewers, policy all)" in done.stdout
    assert "  approved: " in shell.sii("list").stdout
    assert "  rejected: " in shell.sii("list", SII_APPROVAL_POLICY="majority").stdout


def test_an_approval_that_no_longer_holds_says_so(shell: Shell, folder: Path) -> None:
    shell.sii("approve", "last")
    recorder = Recorder.resume(folder)
    recorder.record(UserMessage(round=3, text="more"), "human")
    recorder.close()
    done = shell.sii("reviews", "last")
    assert "(of the recording as it was before)" in done.stdout
    assert "is not judged as it is now" in done.stdout
    assert "reviewed by ada: that verdict no longer holds" in done.stderr


def test_a_review_steps_through_and_keeps_what_is_said(shell: Shell, folder: Path) -> None:
    user, (first, second) = events_of(folder, UserMessage)[0], events_of(folder, ModelResponse)
    observed = events_of(folder, Observation)[0]
    done = review(
        shell,
        "c an unclear question",
        "",
        "f wasteful",
        "c why twice?",
        f"f @{observed} wrong observation",
        "",
        "x",
        "",
        "n",
        "",
        "mend the second step",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("needs work\n")
    (kept,) = read_reviews(folder)
    assert (kept.reviewer, kept.verdict, kept.note) == ("ada", "needs_work", "mend the second step")
    assert [(step.seq, step.comment, step.flag, step.exclude) for step in kept.steps] == [
        (user, "an unclear question", None, None),
        (first, "why twice?", "wasteful", None),
        (observed, "", "wrong_observation", None),
        (second, "", None, True),
    ]
    shown = shell.sii("reviews", "last").stdout
    assert f"event {first}: wasteful · why twice?" in shown
    assert f"event {second}: not to be trained on" in shown


def test_ctrl_c_keeps_what_was_said(shell: Shell, folder: Path, tmp_path: Path) -> None:
    rubric = tmp_path / "rubric.txt"
    rubric.write_text("correct\nshort\n")
    argv = shell.argv("review", "last", "--speaker", "bob", "--rubric", str(rubric))
    # The flag of one's own is answered, so what was typed before it has been taken.
    said = {"a flag of your own": "c well asked\nf odd\n", "short ›": "\n\n\n5\n"}
    for answer, keys in said.items():
        terminal = Terminal(argv, cwd=shell.workspace, env=shell.env)
        terminal.wait_for("— event")
        terminal.send(keys)
        terminal.wait_for(answer)
        terminal.send("\x03")
        assert terminal.exit_code() == 0, terminal.everything()
    asked, marked = read_reviews(folder)
    assert [step.comment for step in asked.steps] == ["well asked"]
    assert marked.rubric == {"correct": 5.0}


def test_each_step_is_shown_before_it_is_asked_about(shell: Shell, folder: Path) -> None:
    done = review(shell, "q")
    assert "› " in done.stdout
    assert "● bash" not in done.stdout
    assert "Nothing was kept" not in done.stdout
    assert read_reviews(folder) == []
    assert "● bash" in review(shell, "", "q").stdout


def test_stopping_keeps_what_was_said_without_a_verdict(shell: Shell, folder: Path) -> None:
    assert review(shell, "c hm").returncode == 0
    (kept,) = read_reviews(folder)
    assert (kept.verdict, kept.steps[0].comment) == (None, "hm")


def test_what_is_not_understood_is_asked_again(shell: Shell, folder: Path) -> None:
    done = review(shell, "what?", "c", "x y", "f @9999 good", "", "", "", "z", "a", "")
    assert done.stderr.count("At each step:") == 3
    assert "This step is of events" in done.stderr
    assert done.stdout.endswith("is approved\n")


def test_a_rubric_is_asked_at_the_end(shell: Shell, folder: Path) -> None:
    (shell.workspace / "rubric.txt").write_text("# marks\ncorrect\nstyle\nspeed\n")
    answers = ["", "", "", "2", "terse", "nan", "a", "fine"]
    review(shell, *answers, args=("--rubric", "rubric.txt"))
    (kept,) = read_reviews(folder)
    assert kept.rubric == {"correct": 2.0, "style": "terse", "speed": "nan"}
    assert kept.note == "fine"


def test_only_a_whole_recording_that_nobody_writes_is_judged(shell: Shell, folder: Path) -> None:
    recorder = Recorder.resume(folder)
    assert "judge it when its session has ended" in shell.sii("approve", "last").stderr
    recorder.close()
    log = folder / LOG
    log.write_bytes(log.read_bytes().replace(b"You are an agent.", b"You are a robot!!", 1))
    done = shell.sii("approve", "last")
    assert done.returncode == 1
    assert f"`sii verify {folder.name}` says where" in done.stderr
    assert read_reviews(folder) == []


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["approve"], "Missing argument 'ID'"),
        (["reject", "last"], "Missing option '--why'"),
        (["reject", "last", "--why", " "], "Say why"),
        (["review", "1999"], "No recording is called"),
        (["review", "last", "--rubric", "none.txt"], "does not exist"),
        (["reviews"], "Missing argument 'ID'"),
    ],
)
def test_misuse_is_one_sentence(shell: Shell, folder: Path, args: list[str], says: str) -> None:
    done = shell.sii(*args)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reviewer_has_a_name(shell: Shell) -> None:
    shell.recorded()
    done = shell.sii("approve", "last")
    assert done.returncode == 2
    assert "Say who you are" in done.stderr
