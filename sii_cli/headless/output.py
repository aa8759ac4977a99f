"""The output of a task without an input line: text, one JSON object, or the recording."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import click

from recordings.conversation.outages import TOOL_INFRA
from recordings.events import (
    Event,
    ModelResponse,
    Observation,
    RoundEnd,
    SummaryResponse,
    Usage,
)
from recordings.storage.log import LOG
from recordings.storage.opening import open_file
from sii_cli.agent.context.budget import Fill
from sii_cli.agent.event_channel import Item
from sii_cli.config.homes import home_words
from sii_cli.errors import FAILED, INTERRUPTED, ROUND_EXIT_CODES, SiiError
from sii_cli.options.settings import OutputFormat

STATUS_OF_CODE = {3: "limit", 4: "infra", INTERRUPTED: "interrupted"}


class Outcome:
    """The outcome of a task, collected from the items."""

    def __init__(self) -> None:
        self.session: str | None = None
        self.folder: Path | None = None
        self.status: str = "failed"
        self.reason = ""
        self.answer: str | None = None
        self.steps = 0
        self.usage = Usage()
        self.fill: Fill | None = None
        """How full the context is."""
        self.exit_code = FAILED
        self.outages: Counter[str] = Counter()
        """Calls that failed for a reason of the installation, by tool."""

    def feed(self, item: Item) -> None:
        """Count an item."""
        match item:
            case Event(data=ModelResponse() as response):
                self.steps += 1
                self.answer = response.content if response.complete else self.answer
                self._count(response.usage or Usage())
            case Event(data=Observation(error=kind, name=name)) if kind == TOOL_INFRA:
                self.outages[name] += 1
            case Event(data=SummaryResponse(usage=Usage() as usage)):
                self._count(usage)
            case Event(data=RoundEnd() as end):
                self.status, self.reason = end.status, end.reason
                self.exit_code = ROUND_EXIT_CODES[end.status]
                if end.status != "answered":
                    self.answer = None

    def fail(self, error: SiiError) -> None:
        """The task failed with an error."""
        self.exit_code = error.exit_code
        self.status = STATUS_OF_CODE.get(error.exit_code, "failed")
        self.reason = str(error)

    def interrupted(self) -> None:
        """The user interrupted it."""
        self.exit_code, self.status = INTERRUPTED, "interrupted"

    def _count(self, usage: Usage) -> None:
        self.usage = Usage(
            prompt_tokens=self.usage.prompt_tokens + usage.prompt_tokens,
            completion_tokens=self.usage.completion_tokens + usage.completion_tokens,
        )


class TaskOutput(Protocol):
    """What is printed of a task while it runs, and at its end."""

    def feed(self, item: Item, folder: Path) -> None:
        """Print one item; `folder` is the recording's."""
        ...

    def tick(self) -> None:
        """Time has passed."""
        ...

    def end(self, outcome: Outcome) -> None:
        """Print the end."""
        ...


class TextOutput:
    """What happens on a terminal; the answer alone on a piped standard output."""

    def __init__(self) -> None:
        from sii_cli.render.live import LiveRenderer  # rich is slow to import

        self._piped = not sys.stdout.isatty()
        self._renderer = LiveRenderer(sys.stderr if self._piped else sys.stdout)

    def feed(self, item: Item, folder: Path) -> None:
        """Draw it."""
        self._renderer.feed(item)

    def tick(self) -> None:
        """Draw the spinner."""
        self._renderer.tick()

    def end(self, outcome: Outcome) -> None:
        """Print the answer where it was not drawn."""
        self._renderer.finish()
        if self._piped and outcome.answer:
            from sii_cli.text.sanitise import without_escapes

            click.echo(without_escapes(outcome.answer.strip("\n")))
        if outcome.session is not None:
            click.echo(f"\nRecorded: sii show {outcome.session}{home_words()}", err=True)


class JsonOutput:
    """One object at the end."""

    def feed(self, item: Item, folder: Path) -> None:
        """Nothing is printed before the end."""

    def tick(self) -> None:
        """Nothing is printed before the end."""

    def end(self, outcome: Outcome) -> None:
        """Print the object."""
        report: dict[str, Any] = {
            "session": outcome.session,
            "status": outcome.status,
            "reason": outcome.reason,
            "answer": outcome.answer,
            "steps": outcome.steps,
            "tool_infra": outcome.outages.total(),
            "usage": outcome.usage.model_dump(include={"prompt_tokens", "completion_tokens"}),
            "context": asdict(outcome.fill) if outcome.fill else None,
            "recording": str(outcome.folder) if outcome.folder else None,
        }
        click.echo(json.dumps(report, ensure_ascii=False))


class StreamJsonOutput:
    """The recording's own lines, as they are written."""

    def __init__(self) -> None:
        self._log: BinaryIO | None = None
        self._rest = b""

    def feed(self, item: Item, folder: Path) -> None:
        """Write the lines recorded since the last call to standard output."""
        self._copy(folder)

    def tick(self) -> None:
        """Do nothing: lines are written with the items."""

    def end(self, outcome: Outcome) -> None:
        """Write the last lines, and close the log."""
        if outcome.folder is not None:
            self._copy(outcome.folder)
        if self._log is not None:
            self._log.close()

    def _copy(self, folder: Path) -> None:
        if self._log is None:
            self._log = open(open_file(folder.parent, folder.name, LOG), "rb")  # noqa: SIM115
        whole, newline, self._rest = (self._rest + self._log.read()).rpartition(b"\n")
        if newline:
            sys.stdout.buffer.write(whole + newline)
            sys.stdout.buffer.flush()


def make_output(output_format: OutputFormat) -> TaskOutput:
    """Return the output of a format."""
    match output_format:
        case "text":
            return TextOutput()
        case "json":
            return JsonOutput()
        case "stream-json":
            return StreamJsonOutput()
