"""The `tokens` target: ids as the server read and generated them, mask, and spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from recordings.export.target import ExportTarget, Row
from recordings.samples.sample import LeftOut, Sample

if TYPE_CHECKING:
    import pyarrow


def rows(sample: Sample) -> Iterator[Row | LeftOut]:
    """Yield a sample's row."""
    yield {
        "id": sample.id,
        "model": sample.model,
        "rendered": sample.rendered,
        "input_ids": sample.ids,
        "loss_mask": sample.mask(),
        "spans": [
            {
                "start": span.start,
                "end": span.end,
                "seq": span.seq,
                "kind": span.kind,
                "trained": span.trained,
                "sources": list(span.sources),
            }
            for span in sample.spans
        ],
    }


def schema() -> pyarrow.Schema:
    """Return the schema of the `tokens` table."""
    import pyarrow as pa

    span = pa.struct(
        [
            ("start", pa.int32()),
            ("end", pa.int32()),
            ("seq", pa.int32()),
            ("kind", pa.string()),
            ("trained", pa.bool_()),
            ("sources", pa.list_(pa.int32())),
        ]
    )
    return pa.schema(
        [
            ("id", pa.string()),
            ("model", pa.string()),
            ("rendered", pa.bool_()),
            ("input_ids", pa.list_(pa.int64())),
            ("loss_mask", pa.list_(pa.int8())),
            ("spans", pa.list_(span)),
        ]
    )


TARGET = ExportTarget("tokens", "ids", rows, schema=schema)
