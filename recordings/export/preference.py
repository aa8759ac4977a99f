"""The `preference` target: one prompt with a better and a worse completion, messages and ids."""

from __future__ import annotations

from collections.abc import Iterator

from recordings.export.chat import chat_messages
from recordings.export.pair_samples import Pair
from recordings.export.target import ExportTarget, Row
from recordings.samples.sample import LeftOut, Sample


def rows(pair: Pair) -> Iterator[Row | LeftOut]:
    """Yield a pair's row."""
    chosen, rejected = (chat_messages(sample) for sample in pair.samples)
    yield {
        "prompt": chosen[: pair.turn],
        "chosen": chosen[pair.turn :],
        "rejected": rejected[pair.turn :],
        "tools": pair.chosen.tools,
        "chat_template_kwargs": pair.chosen.template_kwargs,
        "prompt_ids": pair.chosen.ids[: pair.at] or None,
        **_completion("chosen", pair.chosen, pair.at),
        **_completion("rejected", pair.rejected, pair.at),
    }


def _completion(name: str, sample: Sample, at: int) -> Row:
    return {
        f"{name}_ids": sample.ids[at:] or None,
        f"{name}_mask": sample.mask()[at:] or None,
    }


TARGET = ExportTarget("preference", "both", rows, of_pairs=True)
