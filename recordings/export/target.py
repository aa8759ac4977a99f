"""Export targets: how an example becomes rows, and what a trainer needs to know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from recordings.export.pair_samples import Pair
from recordings.samples.sample import LeftOut, Reason, Sample

if TYPE_CHECKING:
    import pyarrow

Row = dict[str, Any]
Example = TypeVar("Example", Sample, Pair)


@dataclass(frozen=True, slots=True)
class ExportTarget(Generic[Example]):
    """A format that samples, or pairs of samples, are exported to."""

    name: str
    by: Literal["ids", "text", "both"]
    """Whether it holds ids or messages (`SamplePolicy.by`)."""
    rows: Callable[[Example], Iterator[Row | LeftOut]]
    """Yields an example's rows; what the format cannot hold is left out."""
    of_pairs: bool = False
    """Whether an example is a pair."""
    schema: Callable[[], pyarrow.Schema] | None = None
    """The schema of the table, where the format can be parquet. Needs pyarrow."""
    is_table: bool = False
    """Whether parquet is its only form."""
    companions: Mapping[str, str] = field(default_factory=dict)
    """Files that are written beside the data: name → text."""
    launch: str = ""
    """A shell script that trains with it, if there is one."""

    @property
    def usage(self) -> str:
        """What a row holds and how a trainer reads it, in Markdown: `NAME.md` beside the module."""
        text = read_beside(f"{self.name}.md")
        return f"{text}\n```sh\n{self.launch}```\n" if self.launch else text


def read_beside(name: str) -> str:
    """Return a text file from the folder of the targets."""
    return resources.files("recordings.export").joinpath(name).read_text("utf-8")


def not_expressible(sample: Sample, detail: str) -> LeftOut:
    """Return that a format cannot hold a sample."""
    reason: Reason = "not_expressible"
    return LeftOut(sample.recording, reason, detail, sample.number)
