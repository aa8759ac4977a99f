"""Reads a Parquet file: its schema and counts from its footer, and the first rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from .parts import (
    MOST_COLUMNS,
    DocumentRequest,
    Excerpt,
    Unreadable,
    counted,
    fitting,
    row,
    rows_asked,
)

MOST_FOOTER = 32 << 20
"""Bytes of the metadata at the end of the file."""
_NAMED = 200
"""Columns of the schema that are listed."""


def read(path: str, request: DocumentRequest) -> Excerpt:
    """Return the schema and some rows; only what these need is read. Raises `Unreadable`."""
    import pyarrow
    import pyarrow.parquet

    _check(path)
    try:
        with open(path, "rb") as file:
            parquet = pyarrow.parquet.ParquetFile(file, pre_buffer=False, buffer_size=1 << 16)
            metadata = parquet.metadata
            names = parquet.schema_arrow.names
            lines = [f"{i}. {f.name[:100]}: {str(f.type)[:100]}" for i, f in _fields(parquet)]
            lines += ["", row(names)]
            room = request.room - sum(map(len, lines))
            lines += fitting(_rows(parquet, names[:MOST_COLUMNS], request), room)
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, UnicodeError) as error:
        words = " ".join(str(error).split())[:200]
        raise Unreadable("damaged", f"The Parquet file cannot be read: {words}.") from None
    groups = counted(metadata.num_row_groups, "row group")
    sizes = f"{counted(metadata.num_rows, 'row')}, {counted(len(names), 'column')}"
    return Excerpt(lines, [f"Parquet file, {sizes}, {groups}", _where(lines, names, request)])


def _check(path: str) -> None:
    """Raises `Unreadable` when the metadata are too large to be read."""
    with open(path, "rb") as file:
        file.seek(max(os.path.getsize(path) - 8, 0))
        end = file.read(8)
    if len(end) < 8 or end[4:] != b"PAR1":
        raise Unreadable("damaged", "The Parquet file has no footer: it is not complete.")
    if (footer := int.from_bytes(end[:4], "little")) > MOST_FOOTER:
        raise Unreadable("too_large", f"Its metadata have {footer:,} bytes: it is not read.")


def _fields(parquet: Any) -> Iterator[tuple[int, Any]]:
    for number, one in enumerate(parquet.schema_arrow, 1):
        if number > _NAMED:
            return
        yield number, one


def _where(lines: list[str], names: list[str], request: DocumentRequest) -> str:
    first, _ = rows_asked(request)
    shown = len(lines) - min(len(names), _NAMED) - 2
    return f"rows {first + 1:,}-{first + shown:,}; offset and limit choose others"


def _rows(parquet: Any, names: list[str], request: DocumentRequest) -> Iterator[str]:
    """Yield the chosen rows; row groups before them are not read."""
    first, left = rows_asked(request)
    groups: list[int] = []
    for index in range(parquet.metadata.num_row_groups):
        size = parquet.metadata.row_group(index).num_rows
        if groups or first < size:
            groups.append(index)
        else:
            first -= size
    batches = parquet.iter_batches(
        batch_size=max(min(first + left, 1000), 1),
        row_groups=groups,
        columns=names,
        use_threads=False,
    )
    for batch in batches if groups else ():
        skipped = min(first, batch.num_rows)
        first -= skipped
        for one in batch.slice(skipped, left).to_pylist():
            yield row([one.get(name) for name in names])
            left -= 1
        if left <= 0:
            return
