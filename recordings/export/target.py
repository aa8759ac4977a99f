"""What a target is: how a sample becomes rows of its files, and what a trainer must be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module, resources
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from recordings.export.pair_samples import Pair
from recordings.samples.sample import LeftOut, Reason, Sample

if TYPE_CHECKING:
    import pyarrow

Row = dict[str, Any]
Example = TypeVar("Example", Sample, Pair)


@dataclass(frozen=True, slots=True)
class ExportTarget(Generic[Example]):
    """One format that samples, or pairs of them, are exported to."""

    name: str
    by: Literal["ids", "text", "both"]
    """Whether ids or messages go into it (`SamplePolicy.by`)."""
    rows: Callable[[Example], Iterator[Row | LeftOut]]
    """An example's rows; what the format cannot say comes back as left out."""
    of_pairs: bool = False
    """An example is a pair."""
    schema: Callable[[], pyarrow.Schema] | None = None
    """Of the table, where the format can be parquet. Needs pyarrow."""
    is_table: bool = False
    """Parquet is its only form."""
    companions: Mapping[str, str] = field(default_factory=dict)
    """Files that belong to it: name → text."""
    launch: str = ""
    """A shell script that trains on it, where there is one."""

    @property
    def usage(self) -> str:
        """What a row holds and how a trainer reads it, in Markdown: `NAME.md` beside the module."""
        text = read_beside(f"{self.name}.md")
        return f"{text}\n```sh\n{self.launch}```\n" if self.launch else text


TARGETS = {
    "tokens": "ids, mask and spans: exact, for any trainer that takes token ids",
    "slime": "ids and mask for slime, with the rollout function that feeds them",
    "slime_messages": "messages with step_loss_mask for slime's own masks",
    "messages": "prompt and completion messages for TRL",
    "openai": "messages with weights for OpenAI's fine-tuning",
    "sharegpt": "conversations for LLaMA-Factory",
    "swift": "messages with loss for ms-swift",
    "verl": "parquet messages for verl's multi-turn SFT",
    "atif": "documents in the Agent Trajectory Interchange Format",
    "preference": "pairs of a better and a worse: messages for TRL, ids and masks for any",
}
"""Name of each target, its module's too, and what it is for."""


def find_target(name: str) -> ExportTarget[Any]:
    """Import a target by its name."""
    target = import_module(f"recordings.export.{name}").TARGET
    assert isinstance(target, ExportTarget)
    return target


def read_beside(name: str) -> str:
    """Return a text file that lies beside the targets' modules."""
    return resources.files("recordings.export").joinpath(name).read_text("utf-8")


def not_expressible(sample: Sample, detail: str) -> LeftOut:
    """Say that a format cannot hold a sample."""
    reason: Reason = "not_expressible"
    return LeftOut(sample.recording, reason, detail, sample.number)
