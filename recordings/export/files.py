"""The files of an export: rows as JSON lines or parquet, hashed while they are written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from recordings.errors import RecordingError
from recordings.export.target import Row

if TYPE_CHECKING:
    import pyarrow

_GROUP = 32
"""Rows that are held in memory before parquet writes them: a row may have 128k ids."""


class ExportFailed(RecordingError):
    """Raised when an export cannot be made; no file of it is left."""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file of an export."""

    name: str
    rows: int
    bytes: int
    sha256: str


class RowWriter(Protocol):
    """Writes the rows of one file."""

    def add(self, row: Row) -> int:
        """Write a row; return its number in the file, from 1."""
        ...

    def close(self) -> WrittenFile:
        """Close the file and describe it."""
        ...

    def release(self) -> None:
        """Let go of the file, whole or not; does nothing once it is closed."""
        ...


def dumps(row: Any) -> bytes:
    """Encode a row as JSON: the same bytes for the same row, whatever it contains."""
    try:
        return orjson.dumps(row)
    except TypeError:  # integers beyond 64 bits, lone surrogates
        return json.dumps(row, separators=(",", ":"), allow_nan=False).encode()


class JsonLines:
    """Writes JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._digest = hashlib.sha256()
        self._rows = self._bytes = 0

    def add(self, row: Row) -> int:
        """Write a row."""
        line = dumps(row) + b"\n"
        self._file.write(line)
        self._digest.update(line)
        self._rows += 1
        self._bytes += len(line)
        return self._rows

    def close(self) -> WrittenFile:
        """Close the file."""
        self._file.close()
        return WrittenFile(self._path.name, self._rows, self._bytes, self._digest.hexdigest())

    def release(self) -> None:
        """Let go of the file, whole or not; does nothing once it is closed."""
        self._file.close()


class Parquet:
    """Writes parquet with the target's schema: no column type is inferred."""

    def __init__(self, path: Path, schema: Callable[[], pyarrow.Schema]) -> None:
        try:
            import pyarrow.parquet
        except ImportError:
            raise ExportFailed(
                "Parquet needs pyarrow: install it with `pip install 'sii-cli[parquet]'`."
            ) from None
        self._path = path
        self._schema = schema()
        self._writer = pyarrow.parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._waiting: list[Row] = []
        self._rows = 0

    def add(self, row: Row) -> int:
        """Write a row."""
        self._waiting.append(row)
        self._rows += 1
        if len(self._waiting) == _GROUP:
            self._flush()
        return self._rows

    def close(self) -> WrittenFile:
        """Close the file."""
        self._flush()
        self._writer.close()
        with self._path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return WrittenFile(self._path.name, self._rows, self._path.stat().st_size, sha256)

    def release(self) -> None:
        """Let go of the file, whole or not; does nothing once it is closed."""
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow

        if self._waiting:
            table = pyarrow.Table.from_pylist(self._waiting, schema=self._schema)
            self._writer.write_table(table)
            self._waiting = []
