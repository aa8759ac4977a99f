"""The `slime` target: ids and mask, the rollout function that reads them, a launch script."""

from __future__ import annotations

from collections.abc import Iterator

from recordings.export.target import ExportTarget, Row, read_beside
from recordings.samples.sample import LeftOut, Sample

ROLLOUT = "sii_rollout.py"


def rows(sample: Sample) -> Iterator[Row | LeftOut]:
    """Yield a sample's row."""
    yield {
        "prompt": sample.id,
        "metadata": {
            "id": sample.id,
            "recording": sample.recording,
            "rendered": sample.rendered,
            "input_ids": sample.ids,
            "loss_mask": sample.mask(),
        },
    }


TARGET = ExportTarget(
    "slime",
    "ids",
    rows,
    companions={ROLLOUT: read_beside("slime_rollout.py")},
    launch=read_beside("slime_launch.sh"),
)
