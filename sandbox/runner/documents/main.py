"""A program: reads one document and writes its text as JSON. Its argument is the request as JSON.

It limits its memory and time itself, for documents are hostile, and it answers with one sentence
for whatever it cannot read.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from importlib import import_module
from typing import Any

from .parts import DocumentRequest, Unreadable

MEMORY = 300 << 20
"""Bytes of address space."""
PARQUET_MEMORY = 1 << 30
"""Its library maps far more than it uses."""
CPU_SECONDS = 20
FILE = 64 << 20
"""Bytes of a file that is converted as a whole."""
MODULES = {
    "pdf": "pdf",
    "docx": "word",
    "xlsx": "workbook",
    "ipynb": "notebook",
    "csv": "delimited",
    "parquet": "columns",
    "sqlite": "database",
}
"""Format → the module that reads it."""
OF_ANY_SIZE = ("csv", "parquet", "sqlite")
"""Formats of which only a part is read."""


def main() -> None:
    """Excerpt the request on the command line."""
    asked = json.loads(sys.argv[1])
    kind = asked.pop("kind")
    path = asked.pop("path")
    _limit(resource.RLIMIT_AS, PARQUET_MEMORY if kind == "parquet" else MEMORY)
    _limit(resource.RLIMIT_CPU, CPU_SECONDS)
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # the others reserve gigabytes
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    json.dump(answer(kind, path, DocumentRequest(**asked)), sys.stdout)


def answer(kind: str, path: str, request: DocumentRequest) -> dict[str, Any]:
    """Return the text and notes of a document, or an error with its sentence."""
    try:
        size = os.path.getsize(path)
        if size > FILE and kind not in OF_ANY_SIZE:
            raise Unreadable(
                "too_large",
                f"It has {size:,} bytes; up to {FILE:,} are converted. Use bash or python on it.",
            )
        read = _reader(kind)(path, request)
    except Unreadable as error:
        return {"error": error.kind, "message": str(error)}
    except ImportError as error:
        name = (error.name or "a package").partition(".")[0]
        return {"error": "missing", "message": name}
    except MemoryError:
        return {"error": "too_large", "message": "Reading it takes more memory than is allowed."}
    except OSError as error:
        return {"error": "unreadable", "message": f"It cannot be read: {error.strerror}."}
    return {"lines": _sound(read.lines), "notes": _sound(read.notes)}


def _reader(kind: str) -> Any:
    """Return a format's `read`, with packages that a user of the sandbox installed, too."""
    import site

    site.addsitedir(site.getusersitepackages())
    return import_module(f".{MODULES[kind]}", __package__).read


def _sound(lines: list[str]) -> list[str]:
    """Replace halves of characters, which no encoding can write."""
    return [line.encode("utf-8", "replace").decode() for line in lines]


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(what, (most, most))
