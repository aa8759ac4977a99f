"""A recording's calls run again: what is the same, what differs and where, what is not run."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recordings.conversation.restore import restore
from recordings.events import (
    Event,
    HarnessMessage,
    Observation,
    SandboxEnd,
    SessionResume,
    ToolCall,
)
from recordings.recorder import Recorder
from recordings.redaction.redactor import Redactor
from recordings.redaction.rewrite import redact
from recordings.redaction.secrets import SecretFinder
from recordings.storage.log import read_events
from sandbox.protocol import SandboxLost
from sii_cli.config.settings import Settings
from sii_cli.reexecution.recorded import (
    CallNotRun,
    Group,
    Recorded,
    SandboxGone,
    Workspace,
    recorded_calls,
)
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from tests.fakes.fake_sandbox import FakeSandbox
from tests.fakes.scripted_model import ScriptedModel, answer, calls
from tests.sii_cli.reexecution.running_again import (
    TOOLS,
    FakeBackend,
    bash,
    python,
    record,
    run_again,
)
from tests.sii_cli.session_items import call, event, observation

DONE = answer("Done.")


def outcomes(reports: list[Any]) -> list[str]:
    return [report.outcome for report in reports]


async def test_what_is_deterministic_is_reproduced(tmp_path: Path) -> None:
    begin = tmp_path / "begin"
    begin.mkdir()
    (begin / "a.txt").write_text("one\ntwo\n")
    folder = await record(
        tmp_path,
        bash('x=5; cd /; cat "$OLDPWD/a.txt"'),
        bash("echo $x"),
        calls(
            ("read_file", json.dumps({"path": "a.txt"})),
            ("read_file", json.dumps({"path": "none.txt"})),
        ),
        calls(("edit_file", json.dumps({"path": "a.txt", "edits": [{"old": "one", "new": "1"}]}))),
        python("n = 6\nn * 7"),
        python("n"),
        calls(("read_file", json.dumps({"path": "a.txt"})), ("no_tool", "{}"), ("bash", "{oops")),
        DONE,
        begin=begin,
    )
    reports = await run_again(folder, tmp_path, begin=begin)
    assert outcomes(reports) == ["identical"] * 10
    assert (begin / "a.txt").read_text() == "one\ntwo\n"


async def test_a_planted_difference_is_named_exactly(tmp_path: Path) -> None:
    begin, other = tmp_path / "begin", tmp_path / "other"
    for folder, number in ((begin, 999), (other, 1000)):
        folder.mkdir()
        (folder / "sum.txt").write_text(f"first\ntotal {number}\nlast\n")
    recording = await record(
        tmp_path,
        bash("echo same"),
        bash("cat sum.txt"),
        bash("grep -q 999 sum.txt"),
        DONE,
        begin=begin,
    )
    same, text, code = await run_again(recording, tmp_path, begin=other)
    assert same.outcome == "identical"
    assert (text.outcome, text.differs, text.step) == ("different", ("text",), 2)
    assert text.diff.splitlines()[3:] == [" first", "-total 999", "+total 1000", " last"]
    assert code.differs == ("exit_code", "text")
    assert [e.seq for e in read_events(recording) if isinstance(e.data, ToolCall)] == [
        same.seq,
        text.seq,
        code.seq,
    ]


async def test_what_time_changes_is_equal_after_the_rules_named(tmp_path: Path) -> None:
    folder = await record(
        tmp_path,
        bash("date +%s.%N"),
        bash("date; sleep 0.01; echo took 0.$(date +%N) s"),
        python("object()"),
        bash("mktemp -u"),
        DONE,
    )
    reports = await run_again(folder, tmp_path)
    assert [report.rules for report in reports][2:] == [("addresses",), ("temp-names",)]
    assert reports[0].rules == ("unix-times",)
    assert "durations" in reports[1].rules
    assert outcomes(reports) == ["equal"] * 4


async def test_a_call_out_of_which_a_secret_was_taken_is_not_run_as_another(tmp_path: Path) -> None:
    key = "zq8Kd2-hX7wPb4Tn"
    folder = await record(tmp_path, bash(f"echo {key} > f"), bash("echo same"), DONE)
    redact(folder, Redactor(SecretFinder({"KEY": key})), by="ann")
    masked, same = await run_again(folder, tmp_path)
    assert (masked.outcome, same.outcome) == ("not_run", "identical")
    assert "a secret was taken out" in masked.why


async def test_output_that_was_shortened_is_compared_in_full(tmp_path: Path) -> None:
    begin, other = tmp_path / "begin", tmp_path / "other"
    lines = [f"line {number}" for number in range(20_000)]
    for folder in (begin, other):
        folder.mkdir()
        (folder / "long.txt").write_text("\n".join(lines))
        lines[10_000] = "line oooops"
    recording = await record(tmp_path, bash("cat long.txt"), DONE, begin=begin)
    [report] = await run_again(recording, tmp_path, begin=other)
    assert (report.outcome, report.differs) == ("different", ("full",))
    assert "-line 10000\n+line oooops" in report.diff


async def test_calls_to_the_web_are_answered_from_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = await record(
        tmp_path,
        calls(("web_search", "{}"), ("bash", '{"command": "echo hi"}')),
        DONE,
    )

    async def sent(*_: object) -> None:
        raise AssertionError("something was sent out")

    monkeypatch.setattr("tools.web_search.WebSearch.run", sent)
    assert outcomes(await run_again(recording, tmp_path)) == ["answered", "identical"]


async def test_until_stops_after_the_calls_that_began_by_then(tmp_path: Path) -> None:
    folder = await record(tmp_path, bash("echo 1"), bash("echo 2"), bash("echo 3"), DONE)
    all_of_them = await run_again(folder, tmp_path / "all")
    second = all_of_them[1].seq
    assert [r.seq for r in await run_again(folder, tmp_path / "some", until=second)] == [
        report.seq for report in all_of_them[:2]
    ]


async def test_a_command_in_the_background_is_given_its_time(tmp_path: Path) -> None:
    folder = await record(
        tmp_path,
        bash("(sleep 0.2; echo ready > flag) &"),
        [1.2, *bash("cat flag")],
        DONE,
    )
    assert outcomes(await run_again(folder, tmp_path)) == ["identical", "identical"]


async def test_an_interrupted_call_is_interrupted_and_not_compared(tmp_path: Path) -> None:
    folder = await record(tmp_path, bash("echo begun > begun; sleep 1"), bash("cat begun"), DONE)
    _rewrite(folder, "call-0", error="interrupted", text="The human interrupted this call.")
    first, second = await run_again(folder, tmp_path)
    assert first.outcome == "not_compared"
    assert "it was interrupted after" in first.why
    assert second.outcome == "identical"


async def test_a_call_that_hit_an_outage_is_not_run_again(tmp_path: Path) -> None:
    folder = await record(tmp_path, bash("echo one"), bash("echo two"), DONE)
    _rewrite(folder, "call-0", error="tool_infra", text="bash failed by a fault of its own.")
    first, second = await run_again(folder, tmp_path)
    assert (first.outcome, second.outcome) == ("not_run", "identical")
    assert "a reason of the installation" in first.why


async def test_a_session_that_went_on_in_a_new_sandbox_is_run_again_in_two(tmp_path: Path) -> None:
    folder = await record(tmp_path, bash("x=1"), bash("echo [$x]"), DONE)
    settings = Settings(home=tmp_path / "home", workspace=tmp_path / "workspace", tools=TOOLS)
    session = await Session.open(
        settings,
        mode="headless",
        model=ScriptedModel(bash("echo [$x]"), DONE),
        backend=FakeBackend(),
        resumed=ResumedRecording(folder),
    )
    async for _ in session.send("Go on."):
        pass
    await session.close()
    [note] = [e.data for e in read_events(folder) if isinstance(e.data, HarnessMessage)]
    assert note.reason == "new_sandbox"
    assert outcomes(await run_again(folder, tmp_path)) == ["identical"] * 3


class DyingSandbox(FakeSandbox):
    async def bash(self, command: str, **more: object) -> object:  # type: ignore[override]
        if "die" in command:
            (self.workspace / "made").write_text("before it died\n")
            raise SandboxLost("it died")
        return await super().bash(command, **more)  # type: ignore[arg-type]


async def test_after_a_lost_sandbox_a_fresh_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "tests.sii_cli.reexecution.running_again.FakeSandbox"
    with monkeypatch.context() as patch:
        patch.setattr(module, DyingSandbox)
        folder = await record(tmp_path, bash("x=1"), bash("die"), bash("echo [$x]; cat made"), DONE)
    assert "[]\nbefore it died" in [
        e.data.text for e in read_events(folder) if isinstance(e.data, Observation)
    ]
    before, lost, after = await run_again(folder, tmp_path)
    assert (before.outcome, after.outcome) == ("identical", "identical")
    assert (lost.outcome, lost.why) == (
        "not_run",
        "the sandbox died during it: what it did then is not known",
    )


def _rewrite(folder: Path, call_id: str, **changes: object) -> None:
    """Rewrite a recording with its first observation of a call changed."""
    events = list(read_events(folder))
    (folder / "events.jsonl").unlink()
    recorder = Recorder.create(folder, folder.name)
    for each in events:
        data = each.data
        if isinstance(data, Observation) and data.call_id == call_id and changes:
            data, changes = data.model_copy(update=changes), {}
        recorder.record(data, each.origin)
    recorder.close()
    restore(folder)


def _numbered(*items: Event) -> Iterator[Event]:
    for seq, item in enumerate(items):
        yield Event("s", seq, 0.0, float(seq), "tool", item.data)


RESUME = SessionResume(sii_version="0", model="m", base_url="u")
GONE = SandboxEnd(sandbox_id="x", reason="lost")


@pytest.mark.parametrize(
    ("items", "groups"),
    [
        ("a A b B", "a b"),
        ("a b B A", "ab"),
        ("a b A x B c C", "ab x c"),
        ("a A x b B", "a x b"),
        ("a r A b B", "a r b"),
        ("a A n", "a n"),
        ("a", "a"),
        ("", ""),
    ],
)
def test_calls_are_grouped_as_they_ran(items: str, groups: str) -> None:
    def made(letter: str) -> Event:
        if letter == "x":
            return event(GONE)
        if letter == "r":
            return event(RESUME)
        if letter == "n":
            return observation("bash", "not run", "n", error="not_run")
        if letter.isupper():
            return observation("bash", "", letter.lower())
        return call("bash", {"command": letter}, letter)

    def named(item: Recorded) -> str:
        match item:
            case Group():
                return "".join(each.call.call_id for each in item.calls)
            case CallNotRun():
                return "n"
            case SandboxGone(resumed=resumed):
                return "r" if resumed else "x"
            case Workspace():
                return "w"

    found = recorded_calls(_numbered(*map(made, items.split())))
    assert " ".join(map(named, found)) == groups


async def test_a_run_that_is_left_early_leaves_nothing_running(tmp_path: Path) -> None:
    folder = await record(tmp_path, bash("sleep 0.2; echo 1"), DONE)
    again = asyncio.create_task(run_again(folder, tmp_path))
    await asyncio.sleep(0.05)
    again.cancel()
    with pytest.raises(asyncio.CancelledError):
        await again
    assert not [task for task in asyncio.all_tasks() if re.search(r"Reexecution", repr(task))]
