"""`sii review`, `approve`, `reject` and `reviews`: recordings are judged, by name, as they are."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from recordings.events import (
    Check,
    ModelResponse,
    Observation,
    QueryOutcome,
    RawGeneration,
    UserMessage,
)
from recordings.recorder import Recorder
from recordings.reviews.review import LONGEST_TEXT, Coverage, Review
from recordings.reviews.reviews import read_reviews
from recordings.storage.log import LOG, read_events
from sii_cli.queue.leases import Leases
from tests.recordings.recording_sessions import FakeSession
from tests.recordings.stepped_session import SteppedSession
from tests.sii_cli.shell import Done, Shell
from tests.sii_cli.terminal import Terminal


@pytest.fixture
def folder(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SII_SPEAKER", "ada")
    return shell.recorded(rounds=1, steps=2)


def events_of(folder: Path, kind: type) -> list[int]:
    return [event.seq for event in read_events(folder) if isinstance(event.data, kind)]


def rubric_of(kept: Review) -> dict[str, float | str]:
    return {question: answer.value for question, answer in kept.rubric.items()}


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
    """Also from the home directory, which holds the recordings and is not a workspace."""
    monkeypatch.chdir(folder.parent.parent)
    for command in (("approve", "last"), ("scan", "last"), ("stats",), ("list",)):
        assert shell.sii(*command).returncode == 0, command


def test_an_approval_that_no_longer_holds_says_so(shell: Shell, folder: Path) -> None:
    shell.sii("approve", "last")
    recorder = Recorder.resume(folder, key=shell.key)
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
        "w",
        "",
        "mend the second step",
    )
    assert done.returncode == 0, done.stderr
    assert "Sent: ~ needs work." in done.stderr
    assert done.stdout.endswith("needs work\n")
    (kept,) = read_reviews(folder)
    assert (kept.reviewer, kept.verdict, kept.note) == ("ada", "needs_work", "mend the second step")
    assert [(step.seq, step.comment, step.flags, step.exclude) for step in kept.steps] == [
        (user, "an unclear question", (), None),
        (first, "why twice?", ("wasteful",), None),
        (observed, "", ("wrong_observation",), None),
        (second, "", (), True),
    ]
    shown = shell.sii("reviews", "last").stdout
    assert f"event {first}: wasteful · why twice?" in shown
    assert f"event {second}: not to be trained on" in shown


def test_ctrl_c_keeps_what_was_said(shell: Shell, folder: Path, tmp_path: Path) -> None:
    rubric = tmp_path / "rubric.txt"
    rubric.write_text("correct\nshort\n")
    argv = shell.argv("review", "last", "--plain", "--speaker", "bob", "--rubric", str(rubric))
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
    assert rubric_of(marked) == {"correct": 5.0}


def test_no_line_that_is_typed_loses_a_review(shell: Shell, folder: Path) -> None:
    long, half = "w" * (LONGEST_TEXT + 1), "w" * (LONGEST_TEXT // 2)
    lines = ("c well asked", f"f {'w' * 201}", "c caf\udce9", f"c {long}", f"c {half}", f"c {half}")
    done = review(shell, *lines, "e", "a", long, "fine")
    assert done.stdout.endswith("is approved\n"), done.stderr
    assert "A flag has at most 200 characters" in done.stderr
    assert "This is not text in UTF-8" in done.stderr
    assert done.stderr.count("This has more than 65,536 characters") == 2
    assert "The comments on an event have at most 65,536 characters" in done.stderr
    (kept,) = read_reviews(folder)
    (step,) = kept.steps
    assert (kept.note, step.comment, step.flags) == ("fine", f"well asked\n{half}", ())


@pytest.mark.parametrize(
    ("rubric", "says"),
    [
        ("right?\n" + "w" * 201, ":2: use at most 200 characters."),
        ("x\n" * 201, " has more than 200 criteria"),
    ],
)
def test_a_rubric_that_no_review_holds_is_refused_before_the_review(
    shell: Shell, folder: Path, rubric: str, says: str
) -> None:
    (shell.workspace / "rubric.txt").write_text(rubric)
    done = review(shell, args=("--rubric", "rubric.txt"))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"rubric.txt{says}" in done.stderr


def test_what_no_review_could_be_kept_with_is_refused_before_it(shell: Shell, folder: Path) -> None:
    done = review(shell, args=("--speaker", "w" * 201))
    assert (done.returncode, done.stdout) == (2, "")
    assert "A pseudonym has at most 200 characters" in done.stderr
    (shell.home / "guideline.md").mkdir()
    done = review(shell)
    assert (done.returncode, done.stdout) == (4, "")
    assert "guideline.md cannot be read" in done.stderr


def test_the_end_of_the_input_at_the_note_keeps_an_approval(shell: Shell, folder: Path) -> None:
    assert review(shell, "e", "a").returncode == 0
    review(shell, "e", "r")  # which wants a reason
    assert verdicts(folder) == ["approve"]


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
    assert rubric_of(kept) == {"correct": 2.0, "style": "terse", "speed": "nan"}
    assert kept.note == "fine"


def test_a_key_of_the_verdict_answers_no_question(shell: Shell, folder: Path) -> None:
    (shell.workspace / "rubric.txt").write_text("correct?\n")
    done = review(shell, "e", "a", "3", "a", "", args=("--rubric", "rubric.txt"))
    assert "This asks: correct?. The verdict is asked for after it." in done.stderr
    (kept,) = read_reviews(folder)
    assert (rubric_of(kept), kept.verdict) == ({"correct?": 3.0}, "approve")


def test_one_enter_too_many_does_not_skip_the_verdict(shell: Shell, folder: Path) -> None:
    (shell.workspace / "rubric.txt").write_text("correct\n")
    done = review(shell, "e", "4", "", "a", "", args=("--rubric", "rubric.txt"))
    assert "Enter again: no verdict." in done.stderr
    assert verdicts(folder) == ["approve"]


def test_the_end_shows_the_answer_before_the_verdict(shell: Shell, folder: Path) -> None:
    asked = review(shell, "e", "q").stderr
    answer = events_of(folder, ModelResponse)[-1]
    content = next(event.data for event in read_events(folder) if event.seq == answer)
    assert isinstance(content, ModelResponse)
    assert "a approve" in asked
    assert (content.content or "no answer") in review(shell, "e", "q").stdout.split("a approve")[0]


def verdicts(folder: Path) -> list[str | None]:
    return [kept.verdict for kept in read_reviews(folder)]


def queue(shell: Shell, *lines: str, args: tuple[str, ...] = ()) -> Done:
    return shell.sii("review", *args, stdin="".join(f"{line}\n" for line in lines))


def break_log(folder: Path) -> None:
    log = folder / LOG
    log.write_bytes(log.read_bytes().replace(b"You are an agent.", b"You are a robot!!", 1))


def test_every_key_is_acknowledged(shell: Shell, folder: Path) -> None:
    user = events_of(folder, UserMessage)[0]
    done = review(shell, "c hm", "f unsafe", "x", "e", "k", "q")
    for said in ("commented", "flagged unsafe", "excluded from training"):
        assert f"event {user}: {said}\n" in done.stderr
    assert "One of the keys a, r, w, b, ., q" in done.stderr


def test_a_word_that_only_begins_like_a_verdict_is_none(shell: Shell, folder: Path) -> None:
    review(shell, "e", "abort", "q")
    assert read_reviews(folder) == []


def test_a_reviewer_goes_back_to_an_event_and_to_the_end(shell: Shell, folder: Path) -> None:
    user, (first, second) = events_of(folder, UserMessage)[0], events_of(folder, ModelResponse)
    observed = events_of(folder, Observation)[0]
    done = review(
        shell, "b", "", "b", f"g {observed}", "e", "b", "g 0", "g 9999", f"g @{second}", "", "a", ""
    )
    asked = [int(line.split()[0]) for line in done.stderr.split("— event ")[1:]]
    assert asked == [user, user, first, user, first, second, user, user, second]
    assert "This is the first step." in done.stderr
    assert "The recording is of events 0 to " in done.stderr
    once = review(shell, "", "q").stdout.count("● bash")
    assert done.stdout.count("● bash") == 2 * once  # the first step's calls are shown again
    assert verdicts(folder) == ["approve"]


def test_a_step_that_is_shown_again_is_shown_whole(shell: Shell, folder: Path) -> None:
    """Also what a screen says only once."""

    def change(session: FakeSession) -> None:
        doubt = RawGeneration(step=session.steps, attempt=1, flags=["redacted"], text="")
        session.recorder.record(doubt, "model")
        session.end()

    last = shell.recorded(rounds=1, steps=1, seed=1, change=change)
    done = review(shell, f"g {events_of(last, ModelResponse)[0]}", "b", "", "q")
    assert done.stdout.count("a secret was removed") == 2


def test_what_was_said_of_a_step_is_shown_with_it(shell: Shell, folder: Path) -> None:
    first = events_of(folder, ModelResponse)[0]
    shown = f"event {first}: wasteful · excluded from training · why?"
    done = review(shell, "", "c why?", "f wasteful", "x", "", "b", "q")
    assert done.stderr.count(shown) == 1
    # Also in a later review, where what was excluded is taken back.
    done = review(shell, "", "x", "c now I see", "b", "", "q")
    assert done.stderr.count(shown) == 1
    assert f"event {first}: not excluded" in done.stderr
    assert f"event {first}: wasteful · why? · now I see" in done.stderr
    assert [step.exclude for kept in read_reviews(folder) for step in kept.steps] == [True, False]
    assert read_reviews(folder)[1].steps[0].comment == "now I see"


def test_marks_are_kept_when_a_reviewer_goes_back(shell: Shell, folder: Path) -> None:
    (shell.workspace / "rubric.txt").write_text("correct\nstyle\n")
    answers = ["e", "2", "", "b", "e", "", "terse", "a", ""]
    review(shell, *answers, args=("--rubric", "rubric.txt"))
    (kept,) = read_reviews(folder)
    assert rubric_of(kept) == {"correct": 2.0, "style": "terse"}


def test_without_ids_all_that_waits_for_one_follows_in_their_order(
    shell: Shell, folder: Path
) -> None:
    (shell.home / "review.toml").write_text("reviewers = 2\n")
    judged, other, last = (shell.recorded(rounds=1, steps=1, seed=seed) for seed in (1, 2, 3))
    shell.sii("approve", judged.name)
    shell.sii("approve", last.name, "--speaker", "bob")
    done = queue(shell, "e", "r", "it cheats", "c hm", ".", "e", "a", "")
    assert done.returncode == 0, done.stderr
    given = re.findall(r"(\d) of 3: (\S+)", done.stderr)
    rejected, skipped = (folder, other) if given[0][1] == folder.name else (other, folder)
    order = [(str(n), one.name) for n, one in enumerate((rejected, skipped, last), 1)]
    assert given == order, "what the fewest have judged comes first"
    assert "Only what you left for later waits for you now" in done.stderr
    assert (verdicts(rejected), verdicts(judged)) == (["reject"], ["approve"])
    assert (verdicts(skipped), verdicts(last)) == ([None], ["approve", "approve"])

    assert f"1 of 1: {skipped.name}" in queue(shell, "e", "a", "").stderr
    done = queue(shell)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert done.stderr.startswith("Nothing waits for you now")
    assert f"1 of 4: {folder.name}" in queue(shell, "q", args=("--again",)).stderr

    recorder = Recorder.resume(judged, key=shell.key)
    recorder.record(UserMessage(round=3, text="more"), "human")
    recorder.close()
    assert f"1 of 1: {judged.name}" in queue(shell, "q").stderr


def test_options_and_ids_choose_the_queue(shell: Shell, folder: Path) -> None:
    other = shell.recorded(rounds=1, steps=3, seed=1)
    assert f"1 of 1: {other.name}" in queue(shell, "q", args=("--min-steps", "3")).stderr
    assert "no recording matches" in queue(shell, args=("--model", "none", "--again")).stderr
    done = queue(shell, ".", "q", args=("last", folder.name, other.name))
    assert f"1 of 2: {other.name}" in done.stderr
    assert f"2 of 2: {folder.name}" in done.stderr
    assert "not both" in queue(shell, args=("last", "--min-steps", "0")).stderr


def test_a_queue_without_recordings_is_one_sentence(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SII_SPEAKER", "ada")
    done = queue(shell)
    assert done.returncode == 0
    assert "There are no recordings" in done.stderr
    assert not shell.store.root.exists()


def test_what_cannot_be_judged_is_passed_over_in_a_queue(shell: Shell, folder: Path) -> None:
    written, changed, last = (shell.recorded(rounds=1, steps=1, seed=seed) for seed in (1, 2, 3))
    break_log(folder)
    recorder = Recorder.resume(written, key=shell.key)
    names = [one.name for one in (folder, written, changed, last)]
    terminal = Terminal(
        shell.argv("review", "--plain", *names, "--speaker", "ada"),
        cwd=shell.workspace,
        env=shell.env,
    )
    terminal.wait_for("3 of 4")
    assert f"{folder.name} is broken" in terminal.everything()
    assert f"{written.name} is being written" in terminal.everything().replace("\n", "")
    recorder.close()
    terminal.wait_for("— event")
    recorder = Recorder.resume(changed, key=shell.key)
    recorder.record(UserMessage(round=3, text="more"), "human")
    recorder.close()
    terminal.send("e\na\n\n")
    terminal.wait_for("4 of 4")
    assert "changed while it was reviewed" in terminal.everything()
    terminal.send("e\na\n\n")
    assert terminal.exit_code() == 0, terminal.everything()
    assert [verdicts(one) for one in (folder, written, changed, last)] == [[], [], [], ["approve"]]


@pytest.mark.parametrize("key", ["q\n", "\x03"])
def test_leaving_a_queue_keeps_what_was_said_and_opens_no_other(
    shell: Shell, folder: Path, key: str
) -> None:
    second, third = (shell.recorded(rounds=1, steps=1, seed=seed) for seed in (1, 2))
    terminal = Terminal(
        shell.argv("review", "--plain", "--speaker", "ada"), cwd=shell.workspace, env=shell.env
    )
    terminal.wait_for("1 of 3")
    terminal.send("e\na\n\n")
    terminal.wait_for("2 of 3")
    terminal.wait_for(f"— event {events_of(folder, UserMessage)[0]}")
    given = re.findall(r"\d of 3: (\S+)", terminal.everything())
    named = {one.name: one for one in (folder, second, third)}
    first, second = (named.pop(name) for name in given)
    (third,) = named.values()
    terminal.send("c well asked\n")
    terminal.wait_for("commented")
    terminal.send(key)
    assert terminal.exit_code() == 0, terminal.everything()
    assert "3 of 3" not in terminal.everything()
    (kept,) = read_reviews(second)
    assert (kept.verdict, kept.steps[0].comment) == (None, "well asked")
    assert (verdicts(first), verdicts(third)) == (["approve"], [])


def test_a_review_says_how_long_it_took_and_how_much_was_opened(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 10.0, 4000.0, 4001.0, 4002.5])  # one gap is a break
    timed = SimpleNamespace(monotonic=lambda: next(clock))
    monkeypatch.setattr("sii_cli.review.remarks.time", timed)
    review(shell, "f bad", "e", "a", "")
    shell.sii("approve", "last")
    walked, approved = read_reviews(folder)
    assert (walked.role, walked.seconds) == ("reviewer", 10 + 180 + 1 + 1.5)
    assert walked.coverage == Coverage(steps=2, of_steps=3, folds=0)
    assert [step.mark for step in walked.steps] == ["bad"]
    assert (approved.role, approved.seconds, approved.coverage) == ("reviewer", None, None)
    last = json.loads(shell.sii("reviews", "last", "--json").stdout.splitlines()[0])
    assert (last["id"], last["kind"], last["blind"]) == (folder.name, "recording", False)


def test_help_says_all_keys(shell: Shell) -> None:
    said = shell.sii("review", "--help").stdout
    for key in ("b  ", "g SEQ", "e  ", "c WORDS", "f FLAG", "x  ", "s WORDS", ".  "):
        assert f"\n    {key}" in said, key
    for key in ("q, Ctrl-C", "a, r, w"):
        assert f"\n    {key}" in said, key


def test_only_a_whole_recording_that_nobody_writes_is_judged(shell: Shell, folder: Path) -> None:
    recorder = Recorder.resume(folder, key=shell.key)
    assert "judge it when its session has ended" in shell.sii("approve", "last").stderr
    recorder.close()
    break_log(folder)
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


def test_line_by_line_hides_the_check_where_the_protocol_does(shell: Shell) -> None:
    _, made = shell.store.create_folder()
    session = SteppedSession(made, key=shell.key)
    session.message("Do it.")
    session.answer("Done.")
    check = Check(round=1, command="pytest", exit_code=1, passed=False, seconds=1.0)
    session.recorder.record(check, "harness")
    session.recorder.record(QueryOutcome(status="unsolved"), "harness")
    session.recorder.close()
    (shell.home / "review.toml").write_text("show_check = false\n")
    said = review(shell, "e", "a", "", args=("--speaker", "ada"))
    assert "pytest" not in said.stdout + said.stderr
    assert "unsolved" not in said.stdout + said.stderr
    again = review(shell, "e", "q", args=("--speaker", "ada"))
    assert "check failed" in again.stderr, "after the own verdict it is shown"


def test_line_by_line_keeps_a_draft_and_the_lease(shell: Shell, folder: Path) -> None:
    terminal = Terminal(
        shell.argv("review", "--plain", "--speaker", "ada"), cwd=shell.workspace, env=shell.env
    )
    terminal.wait_for("1 of 1")
    terminal.wait_for("— event")
    terminal.send("c half a review\n")
    terminal.wait_for("commented")
    with Leases(shell.home) as leases:
        assert leases.held("review") == {folder.name: ("ada",)}
    terminal.child.kill(signal.SIGKILL)
    terminal.exit_code()
    assert read_reviews(folder) == []
    done = queue(shell, "e", "a", "")
    assert "Your draft is continued." in done.stderr
    (kept,) = read_reviews(folder)
    assert [step.comment for step in kept.steps] == ["half a review"]
    assert list((shell.home / "drafts").iterdir()) == []


def test_line_by_line_a_thin_verdict_is_asked_for_once_more(shell: Shell, folder: Path) -> None:
    (shell.home / "review.toml").write_text("coverage_floor = 0.9\n")
    done = review(shell, "e", "a", "", "a", "fine")
    assert "2 of 3 steps opened, below the 90% that the protocol wants" in done.stderr
    (kept,) = read_reviews(folder)
    assert (kept.verdict, kept.note) == ("approve", "fine")
    assert kept.coverage is not None
    assert kept.coverage.is_below_floor


def test_line_by_line_a_verdict_wants_what_the_protocol_requires(
    shell: Shell, folder: Path
) -> None:
    (shell.home / "review.toml").write_text(
        '[rubric]\nrequired = ["goal"]\n'
        '[rubric.properties.goal]\ntype = "integer"\nminimum = 1\nmaximum = 5\n'
    )
    unanswered = review(shell, "e", "", "a", "")
    assert "goal · 1 to 5 › " in unanswered.stderr
    assert "The protocol wants an answer: goal." in unanswered.stderr
    assert read_reviews(folder) == []
    assert review(shell, "e", "", ".").returncode == 0, "without a verdict nothing is required"
    review(shell, "e", "", "a", "fine", "4")
    (kept,) = read_reviews(folder)
    assert (kept.verdict, kept.rubric["goal"].value) == ("approve", 4)


def test_line_by_line_a_session_is_sent_back_from_a_step(shell: Shell, folder: Path) -> None:
    first = events_of(folder, ModelResponse)[0]
    done = review(shell, f"g {first}", "s the test was skipped", "e", "")
    assert "Enter at the end sends the session back" in done.stderr
    (kept,) = read_reviews(folder)
    assert (kept.verdict, kept.note) == ("needs_work", "the test was skipped")
    assert [(step.seq, step.flags, step.comment) for step in kept.steps] == [
        (first, ("wrong",), "the test was skipped")
    ]


@pytest.mark.parametrize("verdict", [("approve",), ("reject", "--why", "it cheats")])
def test_a_verdict_in_one_line_wants_what_the_protocol_wants(
    shell: Shell, folder: Path, verdict: tuple[str, ...]
) -> None:
    protocol = shell.home / "review.toml"
    protocol.write_text('[rubric]\nrequired = ["goal"]\nproperties.goal.type = "string"\n')
    words = (verdict[0], "last", *verdict[1:], "--speaker", "ada")
    refused = shell.sii(*words)
    assert refused.returncode == 2
    assert "The protocol wants an answer: goal." in refused.stderr
    assert f"`sii review {folder.name}` asks for it." in refused.stderr
    review(shell, "e", "reached", ".")
    assert shell.sii(*words).returncode == 0, "what was answered before counts"

    protocol.write_text("coverage_floor = 1.0\n")
    assert "100% of a recording opened" in shell.sii(*words).stderr
    review(shell, "", "", "", ".")
    assert "100% of a recording opened" in shell.sii(*words).stderr, "nothing was kept"
    review(shell, "c read", "", "", "", ".")
    assert shell.sii(*words).returncode == 0
    assert read_reviews(folder)[-1].verdict == verdict[0]
