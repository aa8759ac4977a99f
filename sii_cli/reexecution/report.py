"""The report of a re-execution: call by call, and in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from recordings.events import Observation, ToolCall
from sii_cli.reexecution.recorded import RecordedCall
from sii_cli.reexecution.workspace_files import FilesReport

_LABEL = 2_000
"""Characters of a call in its report."""

Outcome = Literal["identical", "equal", "different", "answered", "not_compared", "not_run"]


@dataclass(frozen=True, slots=True)
class CallReport:
    """One call run again.

    `answered`: the answer of an outside service is taken from the recording. `not_compared`: it was
    run, but what it returned then is not its whole output. `not_run`: it did not run then either,
    or what it did then is not known.
    """

    seq: int
    """Of the call's event."""
    step: int
    call_id: str
    name: str
    label: str
    """The tool and what it was asked, in a line."""
    outcome: Outcome
    why: str = ""
    """Of what was not compared or not run."""
    rules: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    diff: str = ""
    seconds_then: float = 0.0
    seconds: float = 0.0


@dataclass(slots=True)
class ReexecutionReport:
    """The calls so far."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    """How many calls needed each."""
    first_difference: CallReport | None = None
    steps_with_files: int = 0
    """Steps after which the workspace was compared."""
    files_differ: list[int] = field(default_factory=list)
    """Steps after which it was another; 0: at the start."""

    def add(self, call: CallReport) -> None:
        """Count a call."""
        self.counts[call.outcome] += 1
        self.rules.update(call.rules)
        if call.outcome == "different" and self.first_difference is None:
            self.first_difference = call

    def add_files(self, files: FilesReport) -> None:
        """Count a step's workspace."""
        self.steps_with_files += 1
        self.rules.update(files.rules)
        if files.differs:
            self.files_differ.append(files.step)

    @property
    def reproducible(self) -> bool:
        """Nothing differs."""
        return self.first_difference is None and not self.files_differ

    @property
    def compared(self) -> int:
        """Calls whose observation was compared."""
        return self.reproduced + self.counts["different"]

    @property
    def reproduced(self) -> int:
        """Calls that returned the same again."""
        return self.counts["identical"] + self.counts["equal"]

    @property
    def score(self) -> float | None:
        """The part that was reproduced, from 0 to 1, or None when nothing was compared."""
        return self.reproduced / self.compared if self.compared else None

    def as_dict(self) -> Mapping[str, Any]:
        """Return the figures for `--json`."""
        first = self.first_difference
        return {
            "score": self.score,
            "compared": self.compared,
            "counts": dict(self.counts),
            "rules": dict(self.rules),
            "steps_with_files": self.steps_with_files,
            "files_differ": self.files_differ,
            "first_difference": first and {"seq": first.seq, "step": first.step},
        }


def call_dict(call: CallReport) -> dict[str, Any]:
    """Return a call for `--json`."""
    return asdict(call)


def call_text(call: ToolCall) -> str:
    """Return a call as the text that rules look at: the tool, then its arguments."""
    values = call.parsed.values() if call.parsed else [call.arguments]
    return " ".join([call.name, *(v if isinstance(v, str) else repr(v) for v in values)])


def not_begun_report(seq: int, observation: Observation) -> CallReport:
    """Report a call that was never run."""
    return CallReport(
        seq=seq,
        step=observation.step,
        call_id=observation.call_id,
        name=observation.name,
        label=observation.name,
        outcome="not_run",
        why="its turn was stopped before it",
        seconds_then=observation.seconds,
    )


def call_report(
    recorded: RecordedCall,
    outcome: Outcome,
    *,
    why: str = "",
    rules: tuple[str, ...] = (),
    differs: tuple[str, ...] = (),
    diff: str = "",
    seconds: float = 0.0,
) -> CallReport:
    """Report a call that was run, or might have been."""
    call, then = recorded.call, recorded.observation
    return CallReport(
        seq=recorded.seq,
        step=call.step,
        call_id=call.call_id,
        name=call.name,
        label=" ".join(call_text(call)[:_LABEL].split()),
        outcome=outcome,
        why=why,
        rules=rules,
        differs=differs,
        diff=diff,
        seconds_then=then.seconds if then else 0.0,
        seconds=seconds,
    )
