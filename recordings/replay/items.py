"""The items that exported replays show: one list for the web page and for the cast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, assert_never

from recordings.conversation.outages import OF_THE_INSTALLATION, TOOL_INFRA
from recordings.conversation.rewind import REWIND_WHY
from recordings.events import (
    AttachedFile,
    Check,
    Compaction,
    Consent,
    Edit,
    Event,
    EventData,
    HarnessMessage,
    HumanCommand,
    Interrupt,
    LiveDelta,
    LiveOutput,
    ModelChange,
    ModelDelta,
    ModelError,
    ModelRequest,
    ModelResponse,
    NetworkRequest,
    Observation,
    Parked,
    PendingMessage,
    PendingReturned,
    PermissionAnswer,
    PermissionRequest,
    PortOpened,
    PreviewOpened,
    QueryOutcome,
    RawGeneration,
    Redaction,
    Rewind,
    RoundEnd,
    SandboxEnd,
    SandboxStart,
    SentBack,
    ServerCheck,
    SessionEnd,
    SessionResume,
    SessionStart,
    SimulatedUser,
    Snapshot,
    SnapshotFailed,
    Stub,
    SummaryEdit,
    SummaryRequest,
    SummaryResponse,
    ToolCall,
    ToolOutput,
    UserMessage,
)
from recordings.outcomes import is_failure, outcome_line, outcome_of
from recordings.permissions import permission_line
from recordings.replay.model_change import model_change_line
from recordings.replay.timeline import timeline
from recordings.store.checks import LastCheck

ItemKind = Literal["user", "reasoning", "content", "call", "output", "observation", "note"]


@dataclass(frozen=True, slots=True)
class ReplayItem:
    """One thing that is shown."""

    wait: float
    """Seconds after the previous item."""
    kind: ItemKind
    key: str
    """Items with one key belong together: the text of a message; a call and its observation."""
    text: str
    about: str = ""
    """How the call of an observation ended."""
    error: bool = False


def replay_items(events: Iterable[Event]) -> Iterator[ReplayItem]:
    """Yield the items of a replay in order; the waits of events without items are added up."""
    writer = _Writer()
    wait = 0.0
    for seconds, shown in timeline(events):
        wait += seconds
        for item in writer.items(shown):
            yield ReplayItem(wait, *item)
            wait = 0.0


_Shown = tuple[ItemKind, str, str] | tuple[ItemKind, str, str, str, bool]


class _Writer:
    def __init__(self) -> None:
        self._attempt = 0
        """The request whose text is streamed: one that failed is shown apart from the next."""
        self._streamed: set[str] = set()
        """Kinds of text that were streamed since: the response does not repeat them."""
        self._calls: dict[str, str] = {}
        """Key of each call, by its id; some servers use an id again."""

    def items(self, shown: Event | LiveDelta | LiveOutput) -> Iterator[_Shown]:
        if isinstance(shown, LiveDelta):
            if shown.kind == "reasoning" or shown.kind == "content":
                self._streamed.add(shown.kind)
                yield shown.kind, f"{shown.kind}-{self._attempt}", shown.text
        elif isinstance(shown, LiveOutput):
            yield "output", self._calls.get(shown.call_id, ""), shown.text
        else:
            yield from self._event(shown)

    def _event(self, event: Event) -> Iterator[_Shown]:
        key = str(event.seq)
        match event.data:
            case UserMessage(text=text):
                yield "user", key, text
            case ModelResponse() as response:
                yield from self._response(response)
                self._begin(event.seq)
            case ModelRequest():
                self._begin(event.seq)
            case ToolCall(call_id=call_id, name=name, arguments=arguments):
                self._calls[call_id] = key
                yield "call", key, f"{name} {arguments}"
            case Observation() as observation:
                yield from self._observation(key, observation)
            case data:
                note, failed = _note(data)
                if note:
                    yield "note", key, note, "", failed

    def _observation(self, key: str, observation: Observation) -> Iterator[_Shown]:
        if observation.call_id not in self._calls:  # it never began
            yield "call", key, observation.name
        about = f"{observation.seconds:.1f} s"
        if observation.exit_code is not None:
            about += f", exit code {observation.exit_code}"
        if observation.error:
            about += f", {observation.error}"
        if observation.error == TOOL_INFRA:
            about += f": {OF_THE_INSTALLATION}"
        failed = bool(observation.error or observation.exit_code)
        key = self._calls.pop(observation.call_id, key)
        yield "observation", key, observation.text, about, failed

    def _begin(self, seq: int) -> None:
        self._attempt = seq
        self._streamed.clear()

    def _response(self, response: ModelResponse) -> Iterator[_Shown]:
        texts: tuple[tuple[Literal["reasoning", "content"], str | None], ...] = (
            ("reasoning", response.reasoning),
            ("content", response.content),
        )
        for kind, text in texts:
            if text and kind not in self._streamed:
                yield kind, f"{kind}-{self._attempt}", text


def _note(data: EventData) -> tuple[str, bool]:
    """Return what is shown of an event, empty for nothing, and whether it is a failure."""
    match data:
        case Edit(by=by, parts=parts, why=why):
            return f"Edited by {by} ({', '.join(parts)}). {why}".rstrip(), False
        case Rewind(why=why):
            return f"Went back to before a message: {REWIND_WHY[why]}.", False
        case SentBack(by=by, step=step):
            return f"Sent back from event {step} by {by}.", False
        case SummaryEdit(text=text):
            return f"The human edited the summary:\n{text}", False
        case ModelChange() as change:
            return model_change_line(change), False
        case HumanCommand(command=command, text=text) as ran:
            return f"The human ran: {command}\n{text}", bool(ran.error or ran.exit_code)
        case HarnessMessage(reason="human_command"):
            return "", False  # the command shows it
        case AttachedFile(text=text) | HarnessMessage(text=text) | SummaryResponse(summary=text):
            return text, False
        case Compaction(kind="stubs"):
            return "Old observations were left out to make room.", False
        case ModelError(message=message):
            return message, True
        case Interrupt():
            return "Interrupted.", False
        case PermissionRequest(name=name, about=about):
            return f"May {name} run? {'; '.join(about)}".rstrip(), False
        case PermissionAnswer() as answered:
            return permission_line(answered), False
        case SandboxEnd(reason="lost", detail=detail):
            return f"The sandbox was lost. {detail}", True
        case SessionResume():
            return "The session continues.", False
        case PortOpened(job=job, port=port):
            return f"Job {job} listens on port {port}.", False
        case PreviewOpened(port=port):
            return f"The human opened port {port} in a browser.", False
        case RoundEnd(status=status, reason=reason) if status != "answered":
            return f"The round ended: {status}. {reason}", status != "interrupted"
        case SessionEnd(status=status):
            return f"The session ended: {status}.", False
        case Compaction() | SandboxEnd() | RoundEnd():
            return "", False
        case SessionStart() | ServerCheck() | SandboxStart() | NetworkRequest() | ModelDelta():
            return "", False
        case RawGeneration() | ToolOutput() | Snapshot() | SnapshotFailed() | SummaryRequest():
            return "", False
        case Check() as check:
            last = LastCheck.of(check.model_dump())
            return "\n".join((last.verdict, *last.details)), not check.passed
        case QueryOutcome(status=status, score=score, reason=reason):
            ended = outcome_of(status)
            return f"Outcome: {outcome_line(ended, score, reason)}", is_failure(ended)
        case (
            Consent()
            | Parked()
            | Stub()
            | SimulatedUser()
            | Redaction()
            | PendingMessage()
            | PendingReturned()
        ):
            return "", False
        case UserMessage() | ModelRequest() | ModelResponse() | ToolCall() | Observation():
            return "", False  # shown as items of their own
        case _:
            assert_never(data)
