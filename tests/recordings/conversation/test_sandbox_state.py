"""What of a sandbox is gone follows from the events, in any order in which they may come."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.conversation.sandbox_state import NEW_SANDBOX, SandboxState, SandboxTrail
from recordings.events import (
    Event,
    EventData,
    HarnessMessage,
    Observation,
    Permission,
    SandboxEnd,
    SandboxStart,
    SessionResume,
    ToolCall,
)
from tests.recordings import recording_strategies


def event(data: EventData) -> Event:
    return Event("s", 0, 0.0, 0.0, "harness", data)


def start(name: str) -> SandboxStart:
    return SandboxStart(backend="fake", sandbox_id=name, start_seconds=0.0)


def end(name: str) -> SandboxEnd:
    return SandboxEnd(sandbox_id=name, reason="closed")


def resume() -> SessionResume:
    return SessionResume(sii_version="0", model="m", base_url="u")


def called(name: str, **arguments: object) -> ToolCall:
    return ToolCall(
        step=1,
        call_id=name,
        index=0,
        name=name,
        arguments="{}",
        parsed=arguments,
        approval=Permission(by="mode", mode="auto"),
    )


def returned(name: str, error: str | None = None, **details: object) -> Observation:
    return Observation(
        step=1, call_id=name, name=name, text="", error=error, seconds=0.0, details=details
    )


def followed(*data: EventData) -> SandboxTrail:
    trail = SandboxTrail()
    for one in data:
        trail.feed(event(one))
    return trail


USED = (start("a"), called("python"), returned("python"))


def test_a_session_whose_recording_was_left_keeps_its_sandbox() -> None:
    """As after a full disk: the recording goes on, in the same sandbox."""
    trail = followed(*USED, resume(), start("a"))
    assert not trail.lost
    assert trail.now.python


def test_what_was_gone_before_stays_gone_when_the_recording_goes_on() -> None:
    trail = followed(*USED, end("a"), start("b"), resume(), start("b"))
    assert trail.lost.python


def test_the_call_that_starts_a_sandbox_is_not_of_the_one_before() -> None:
    trail = followed(start("a"), end("a"), called("python"), start("b"), returned("python"))
    assert not trail.lost
    assert trail.now.python


def test_a_note_ends_what_is_to_be_told() -> None:
    trail = followed(*USED, resume(), HarnessMessage(reason=NEW_SANDBOX, text="."), start("b"))
    assert not trail.lost
    trail.feed(event(resume()))
    assert not trail.lost


def test_files_outside_the_workspace_are_told_of() -> None:
    for path, is_outside in (
        ("a.txt", False),
        ("/workspace/a", False),
        ("/workspace/../etc/a", True),
        ("/tmp/a", True),
        ("/workspaces/a", True),
    ):
        trail = followed(start("a"), called("write_file", path=path), returned("write_file"))
        assert trail.now == SandboxState(files=is_outside), path


OPERATIONS = st.sampled_from(["python", "bash", "job", "stop", "lost", "resume", "crash", "told"])


@settings(max_examples=200, deadline=None)
@given(st.lists(OPERATIONS, max_size=20))
def test_exactly_what_was_made_and_not_told_as_gone_is_told(operations: list[str]) -> None:
    trail, number, job, ran = SandboxTrail(), 0, 0, False
    now, lost = SandboxState(), SandboxState()

    def feed(*data: EventData) -> None:
        for one in data:
            trail.feed(event(one))

    def make(name: str, **details: object) -> None:
        nonlocal ran
        feed(called(name, command="c", background=bool(details)))
        if not ran:
            feed(start(f"n{number}"))
        ran = True
        feed(returned(name, **details))  # type: ignore[arg-type]

    for operation in operations:
        match operation:
            case "python":
                make("python")
                now.add(SandboxState(python=True, files=True))
            case "bash":
                make("bash")
                now.add(SandboxState(shell=True, files=True))
            case "job":
                job += 1
                make("bash", job=job)
                now.add(SandboxState(files=True, jobs={job: "c"}))
            case "stop" if now.jobs:
                make("jobs", ended_jobs=[job])
                now.jobs.pop(job, None)
            case "told":
                feed(HarnessMessage(reason=NEW_SANDBOX, text="."))
                lost = SandboxState()
            case "lost" | "resume" | "crash":
                if ran and operation != "crash":
                    feed(end(f"n{number}"))
                if operation != "lost":
                    feed(resume())
                number, ran = number + 1, False
                lost.add(now)
                now = SandboxState()
        assert (trail.now, trail.lost) == (now, lost)


@settings(max_examples=200, deadline=None)
@given(st.lists(recording_strategies.data, max_size=12))
def test_events_of_any_content_are_followed(wild: list[EventData]) -> None:
    trail = followed(*wild, *USED)
    assert trail.now.python, "what is used after them is known"
    trail.feed(event(resume()))
    trail.feed(event(start("a new one")))
    assert trail.lost.python, "and told as gone"
