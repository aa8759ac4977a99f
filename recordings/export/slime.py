"""The `slime` target: ids and mask in metadata, and the rollout function that hands them over."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources

from recordings.export.target import Row, Target
from recordings.samples.sample import LeftOut, Sample

ROLLOUT = "sii_rollout.py"


def rows(sample: Sample) -> Iterator[Row | LeftOut]:
    """Yield a sample's one row."""
    yield {
        "prompt": sample.id,
        "metadata": {
            "id": sample.id,
            "recording": sample.recording,
            "input_ids": sample.ids,
            "loss_mask": sample.mask(),
        },
    }


def _rollout() -> str:
    return resources.files("recordings.export").joinpath("slime_rollout.py").read_text("utf-8")


TARGET = Target("slime", "ids", rows, companions={ROLLOUT: _rollout()})
