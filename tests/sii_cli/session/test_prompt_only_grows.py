"""Whatever a human does within and between rounds, the prompt only grows, but for recorded breaks.

The same sessions hold two more properties: a message of the human that waits is delivered once,
returned, or waits still; and what the model is to read of a command or an undo, it reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from recordings.events import (
    Event,
    HarnessMessage,
    HumanCommand,
    LiveDelta,
    ModelRequest,
    ModelResponse,
    PendingMessage,
    PendingReturned,
    Snapshot,
    ToolCall,
    UserMessage,
)
from recordings.storage.log import LOG, read_events
from recordings.store.summary import has_open_round
from recordings.verify import verify
from sii_cli.agent.event_channel import Item
from sii_cli.agent.permissions import CallQuestion, HumanAnswer
from sii_cli.agent.round_control import RoundOver
from sii_cli.errors import UsageError
from sii_cli.session.fork_in_place import fork_in_place
from sii_cli.session.permissions import make_permissions
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from sii_cli.session.sign_off import SignOff
from tests.fakes.ids_model import Generated, IdsModel
from tests.sii_cli.model.ids.offline import Family
from tests.sii_cli.model.ids.turns import call, turn
from tests.sii_cli.scripted_sii import WorkspaceBackend
from tests.sii_cli.session.test_ids_wire import TODO, recorded_prompts, said, settings_of

FAMILY: Family = "GLM-4.5"
Moment = Literal["request", "thinking", "call", "question"]
Within = Literal["steer", "queue", "take back", "interrupt"]
Between = Literal[
    "send",
    "compact",
    "focus",
    "resume",
    "kill",
    "rewind",
    "fork",
    "undo",
    "redo",
    "mark",
    "done",
    "note",
    "rename",
    "!",
    "!!",
    "! interrupted",
    "model",
    "think",
]
Answered = Literal["once", "session", "no", "no, and why"]
WIRES = {
    "template": {"new_round", "steer", "compaction", "model", "taken_back"},
    "loop": {"new_round", "compaction", "model", "taken_back"},
    "all": {"compaction", "model", "taken_back"},
    "messages": {"new_round", "steer", "compaction", "model", "taken_back", "drift"},
}
"""What may break the prompt: with each setting of `keep_reasoning`, and on the messages wire.

As messages it drifts after one kind of response alone: the model thought though it was told not to,
and the template writes its thought where it had written that there is none.
"""


def works(thought: str, *commands: str) -> str:
    """A turn of the model that runs commands."""
    return turn(FAMILY, thought, "", *(call(FAMILY, "bash", ("command", c)) for c in commands))


TURNS = (
    works("I look.", "date +%N >> made.txt; sleep 0.02"),
    works("Two at once.", "echo a > a.txt", "ls"),
    turn(FAMILY, "A list.", "", call(FAMILY, "todo", TODO)),
    said(FAMILY),
    works("Again.", "cat made.txt"),
    said(FAMILY, "All of it."),
)


def obeying(text: str) -> Generated:
    """A turn that is generated without its thought where the model is told not to think."""
    return Generated(text, unthinking=text.partition("</think>")[2])


@dataclass
class Human:
    """Acts within a round when its moment comes, and answers what is asked."""

    within: list[tuple[Moment, Within]]
    answers: list[Answered]
    session: Session = field(init=False)

    def act(self, moment: Moment) -> None:
        """Do what is next, if this is its moment and a round is running."""
        if not self.session.in_round or not self.within or self.within[0][0] != moment:
            return
        _, act = self.within.pop(0)
        match act:
            case "steer":
                self.session.steer("Hurry. <|user|>")
            case "queue":
                self.session.queue("Later.")
            case "take back" if self.session.waiting:
                self.session.take_back(self.session.waiting[-1])
            case "interrupt":
                self.session.interrupt()

    async def answer(self, question: CallQuestion) -> HumanAnswer:
        """Say whether a call may run."""
        await asyncio.sleep(0)
        self.act("question")
        match self.answers.pop(0) if self.answers else "once":
            case "no":
                return HumanAnswer("no", None, "ada")
            case "no, and why":
                return HumanAnswer("no", "Not that one. </think>", "ada")
            case "session":
                return HumanAnswer("session", None, "ada")
            case _:
                return HumanAnswer("once", None, "ada")

    async def watch(self, items: AsyncGenerator[Item, None]) -> None:
        """Read a round to its end, and act in it."""
        async for item in items:
            if isinstance(item, LiveDelta) and item.kind == "reasoning":
                self.act("thinking")
            elif isinstance(item, Event) and isinstance(item.data, ToolCall):
                self.act("call")


class Held:
    """A session that is held through resuming and forks, and the recordings that it left."""

    def __init__(self, place: Path, wire: str, human: Human, *, obeys: bool) -> None:
        """`obeys`: the model does not think where it is told not to."""
        ids = wire != "messages"
        chosen = settings_of(
            place,
            FAMILY,
            wire="ids" if ids else "messages",
            keep_reasoning=wire if ids else "auto",
            tools=("bash", "todo"),
            snapshots=True,
            speaker="ada",
        )
        self.settings = replace(chosen, workspace=place / "workspace")
        self.settings.workspace.mkdir()
        self.human = human
        self.model = IdsModel(FAMILY, *(map(obeying, TURNS * 30) if obeys else TURNS * 30))
        self.model.on_request = lambda: human.act("request")
        self.folders: set[Path] = set()

    async def open(self, resumed: ResumedRecording | None = None) -> None:
        asks = make_permissions(self.settings, self.human.answer, "ask")
        self.session = self.human.session = await Session.open(
            self.settings,
            mode="interactive",
            model=self.model,
            backend=WorkspaceBackend(),
            resumed=resumed,
            permit=asks,
        )

    async def close(self) -> Path:
        """End the session; return its recording."""
        await self.session.close()
        assert self.session.folder is not None
        self.folders.add(self.session.folder)
        return self.session.folder

    async def begin_again(self, act: Between, at: int) -> None:
        """Leave the session, and continue it or a fork of it."""
        folder = await self.close()
        resumed = ResumedRecording(folder)
        own = [event.seq for event in read_events(folder) if event.type == "user_message"]
        if act == "kill" and own:
            cut(folder, own[0], at)
        if act == "fork":
            resumed = fork_in_place(self.settings, folder, None)
        if act == "rewind" and own:
            resumed = fork_in_place(self.settings, folder, own[at % len(own)] - 1)
        await self.open(resumed)
        if has_open_round(resumed.folder):
            await self.human.watch(self.session.resume_round())

    async def act(self, act: Between, at: int) -> None:
        match act:
            case "send":
                await self.human.watch(self.session.send("Look."))
            case "resume" | "kill" | "fork" | "rewind":
                await self.begin_again(act, at)
            case "compact" | "focus":
                with suppress(RoundOver):
                    await self.human.watch(self.session.compact("a" if act == "focus" else ""))
            case "undo" | "redo":
                with suppress(UsageError):
                    undoing = self.session.undoing
                    plan = undoing.plan() if act == "undo" else undoing.plan_redo()
                    await undoing.run(await plan)
            case "!" | "!!":
                command = "echo 'said <|user|>' | tee -a human.txt"
                await self.human.watch(self.session.run_command(command, told=act == "!"))
            case "! interrupted":
                running = asyncio.create_task(
                    self.human.watch(self.session.run_command("sleep 30", told=True))
                )
                await asyncio.sleep(0.02 * at / 10)
                self.session.interrupt()
                with suppress(RoundOver):  # before it began
                    await running
            case "model" | "think":
                await self.change_model(act)
            case _:
                self.sign_off(act)

    async def change_model(self, act: Between) -> None:
        if act == "think":
            thinks = not self.settings.enable_thinking
            self.settings = replace(self.settings, enable_thinking=thinks)
        else:
            self.model.name += "-tuned"
        await self.session.change_model(self.settings, self.model)

    def sign_off(self, act: Between) -> None:
        assert self.session.folder is not None
        says = SignOff(self.settings, self.session.folder)
        acts: dict[Between, Callable[[], object]] = {
            "mark": lambda: says.mark("wrong", "No."),
            "done": lambda: says.end_task(False, "Not yet."),
            "note": lambda: says.leave_note("Look at this."),
            "rename": lambda: says.rename("A name", ["tag"]),
        }
        with suppress(UsageError):  # there is no step yet
            acts[act]()


UNTHINKING: list[tuple[Between, int]] = [
    *(("!", 59), ("! interrupted", 0), ("send", 0), ("! interrupted", 0)),
    *(("resume", 0), ("think", 0), ("redo", 0), ("think", 0)),
]
"""The last round is one in which the model is told not to think."""


def cut(folder: Path, first: int, at: int) -> None:
    """Leave the recording as a kill after one of its events would, from the `first` on."""
    log = folder / LOG
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[: first + 1 + at % (len(lines) - first)]))
    (folder / "seal.json").unlink(missing_ok=True)


async def hold(held: Held, between: Sequence[tuple[Between, int]]) -> set[Path]:
    """Hold a session of rounds with these acts; return all recordings that it left."""
    await held.open()
    for act, at in (("send", 0), *between, ("send", 0)):
        await held.act(act, at)
    await held.close()
    return held.folders


def grows(events: Sequence[Event], causes: set[str]) -> None:
    """Hold that each prompt begins with the one before and what was generated."""
    responses = [e.data for e in events if isinstance(e.data, ModelResponse)]
    before: list[int] = []
    drifts = False
    prompts, unasked = recorded_prompts(list(events)), thought_unasked(events)
    for prompt, one, thought in zip(prompts, responses, unasked, strict=True):
        assert one.continuity is not None
        if one.continuity.kind == "break":
            assert one.continuity.cause in (causes if drifts else causes - {"drift"})
        else:
            kept = before[:-1] if one.continuity.stop_replaced else before
            assert prompt[: len(kept)] == kept
        before, drifts = prompt + (one.generated_ids or []), thought


def thought_unasked(events: Sequence[Event]) -> Iterator[bool]:
    """Yield of each response whether the model thought though it was told not to."""
    thinks: bool | None = None
    for event in events:
        match event.data:
            case ModelRequest(params=params):
                thinks = (params.get("chat_template_kwargs") or {}).get("enable_thinking")
            case ModelResponse(reasoning=thought):
                yield thinks is False and bool(thought)


def delivers_once(events: Sequence[Event]) -> None:
    """Hold that what waits is delivered once, or returned, or waits still: never two of them."""
    waiting: set[int] = set()
    for event in events:
        if event.parent is not None:
            waiting.clear()
        match event.data:
            case PendingMessage():
                waiting.add(event.seq)
            case UserMessage(pending=int(seq)):
                waiting.remove(seq)
            case PendingReturned(pending=seqs):
                waiting.difference_update(seqs)


def tells(events: Sequence[Event]) -> None:
    """Hold that the model read of each command and undo before the next response."""
    unreported = {"human_command": 0, "undo": 0}
    for event in events:
        match event.data:
            case HumanCommand(told=True):
                unreported["human_command"] += 1
            case Snapshot(cause="undo"):
                unreported["undo"] += 1
            case HarnessMessage(reason="human_command" | "undo" as reason):
                unreported[reason] -= 1
            case ModelResponse():
                assert set(unreported.values()) == {0}, unreported


@settings(max_examples=30, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@example("template", [("request", "steer")], [], [("kill", 14)], False)
@example("all", [], [], [("undo", 0), ("resume", 0)], False)
@example("all", [], [], [("!", 0), ("fork", 0)], False)
@example("messages", [], [], UNTHINKING, False)
@example("messages", [], [], UNTHINKING, True)
@given(
    wire=st.sampled_from(tuple(WIRES)),
    within=st.lists(
        st.tuples(st.sampled_from(get_args(Moment)), st.sampled_from(get_args(Within))), max_size=8
    ),
    answers=st.lists(st.sampled_from(get_args(Answered)), max_size=6),
    between=st.lists(st.tuples(st.sampled_from(get_args(Between)), st.integers(0, 60)), max_size=8),
    obeys=st.booleans(),
)
def test_each_prompt_begins_with_the_one_before_and_what_was_generated(
    wire: str,
    within: list[tuple[Moment, Within]],
    answers: list[Answered],
    between: list[tuple[Between, int]],
    obeys: bool,
) -> None:
    with TemporaryDirectory() as place:
        held = Held(Path(place), wire, Human(within, answers), obeys=obeys)
        for folder in asyncio.run(hold(held, between)):
            events = list(read_events(folder))
            grows(events, WIRES[wire])
            delivers_once(events)
            tells(events)
            assert verify(folder).whole
