"""The lines of events that do not belong to a step."""

from __future__ import annotations

from rich.text import Text

from recordings.conversation.rewind import REWIND_WHY
from recordings.events import (
    AttachedFile,
    Check,
    Compaction,
    Edit,
    EventData,
    HarnessMessage,
    HumanCommand,
    Interrupt,
    ModelChange,
    ModelError,
    PermissionAnswer,
    PortOpened,
    PreviewOpened,
    QueryOutcome,
    Rewind,
    RoundEnd,
    SandboxEnd,
    SandboxStart,
    SentBack,
    SessionStart,
    Snapshot,
    SnapshotFailed,
    SummaryEdit,
    UserMessage,
)
from recordings.permissions import permission_line
from recordings.replay.model_change import model_change_line
from sii_cli.render.changes import changes_line
from sii_cli.render.endings import check_lines, outcome_text
from sii_cli.render.human import attachment_line, command_lines
from sii_cli.render.observations import BAR
from sii_cli.render.wrap import wrap
from sii_cli.text.sanitise import one_line, sanitise_written

MESSAGE_LINES = 16
"""Lines of a human's message that are shown on a terminal; what was pasted may have thousands."""
ENDINGS = {
    "limit": "Stopped at a limit",
    "cut_off": "Stopped",
    "empty": "Stopped",
    "loop": "Stopped",
    "infra": "Stopped",
    "failed": "Stopped",
}
_CAUSES = {
    "round": "changed since: ",
    "resume": "changed since: ",
    "command": "changed by your command: ",
    "before": "changed since: ",
    "undo": "restored: ",
    "restore": "restored: ",
}


def note_lines(data: EventData, width: int | None, *, fold: bool = True) -> list[Text]:
    """Return the lines of an event that does not belong to a step, broken at `width`."""
    match data:
        case SessionStart():
            facts = f"{data.model} · {data.base_url} · {data.workspace}"
            return [Text(f"sii {one_line(data.sii_version, 20)} · {one_line(facts, 200)}", "dim")]
        case SandboxStart():
            network = "network: " + ", ".join(data.network) if data.network else "no network"
            text = f"sandbox ready after {data.start_seconds:.1f} s · {data.backend} · {network}"
            if data.unlimited:
                text += f" · no limit on {', '.join(data.unlimited)}"
            return [Text(one_line(text, 200), "dim")]
        case SandboxEnd(reason="lost"):
            return [Text(f"The sandbox was lost: {one_line(data.detail, 200)}", "yellow")]
        case SandboxEnd(data_changed=[_, *_] as names):
            named = one_line(", ".join(names), 200)
            return [Text(f"Changed on the host while the session ran: data set {named}", "yellow")]
        case PortOpened():
            return [Text(f"job {data.job} listens on port {data.port}", "dim")]
        case PreviewOpened():
            return [Text(f"the human opened port {data.port} in a browser", "magenta")]
        case UserMessage():
            return _user(data.text, width, fold)
        case Compaction():
            return [Text(_compaction(data), "dim yellow")]
        case Edit():
            what = ", ".join(data.parts)
            text = f"edited by {one_line(data.by, 40)} ({what}) {one_line(data.why, 200)}"
            return [Text(text.rstrip(), "magenta")]
        case Rewind():
            return [Text(f"went back to before a message: {REWIND_WHY[data.why]}", "magenta")]
        case SentBack():
            return [Text(f"sent back from event {data.step} by {one_line(data.by, 40)}", "magenta")]
        case SummaryEdit():
            return [Text("the human edited the summary", "magenta")]
        case ModelChange():
            return [Text(one_line(model_change_line(data), 200), "magenta")]
        case HumanCommand():
            return command_lines(data)
        case AttachedFile():
            return [attachment_line(data)]
        case HarnessMessage(reason="human_command"):
            return []  # the command shows it
        case PermissionAnswer(answer="once" | "session"):
            return [Text(BAR + one_line(permission_line(data), 200), "yellow")]
        case HarnessMessage():
            return [Text(f"note to the model: {one_line(data.text, 300)}", "dim yellow")]
        case ModelError(retry_in=float() as wait):
            lost = " The partial response is discarded." if data.reasoning or data.content else ""
            when = f"in {wait:.1f} s" if wait else "now"
            text = f"{one_line(data.message, 300)}{lost} Next try {when}."
            return [Text(text, "yellow")]  # the last failure is shown by the round's end
        case Snapshot() if line := changes_line(data):
            return [Text(f"{_CAUSES.get(data.cause, '')}{line}", "dim")]
        case SnapshotFailed():
            return [Text(f"no snapshot: {one_line(data.reason, 300)}", "dim yellow")]
        case Interrupt():
            return [Text("Interrupted.", "yellow")]
        case Check():
            return check_lines(data)
        case QueryOutcome():
            return [outcome_text(data)]
        case RoundEnd() if data.status in ENDINGS:
            reason = f": {one_line(data.reason, 300)}" if data.reason else "."
            return [Text(f"{ENDINGS[data.status]}{reason}", "red")]
        case _:
            return []


def _compaction(data: Compaction) -> str:
    what = "old observations left out" if data.kind == "stubs" else "earlier messages summarised"
    about = "" if data.exact else "about "
    return f"context compacted: {what}, {about}{data.before:,} → {data.after:,} tokens"


def _user(text: str, width: int | None, fold: bool) -> list[Text]:
    """Return a message; on a terminal the middle of a long one is left out."""
    lines = sanitise_written(text).rstrip("\n").split("\n")
    fold = fold and width is not None
    more = len(lines) - MESSAGE_LINES if fold else 0
    if more > 1:
        half = MESSAGE_LINES // 2
        lines = [*lines[:half], f"… +{more:,} lines", *lines[-half:]]
    if width is not None:
        lines = [row for line in lines for row in _rows(line, max(10, width - 2), fold)]
    return [
        Text(("› " if number == 0 else "  ") + line, style="bold")
        for number, line in enumerate(lines)
    ]


def _rows(line: str, width: int, fold: bool) -> list[str]:
    """Break a line of a message; of a very long one the first rows."""
    if not fold:
        return wrap(line, width)
    rows = wrap(line[: 8 * MESSAGE_LINES * width], width)
    return rows if len(rows) <= MESSAGE_LINES else [*rows[:MESSAGE_LINES], "…"]
