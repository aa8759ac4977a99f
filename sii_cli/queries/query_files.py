"""Reads query files: JSONL, YAML, CSV and plain lines; every mistake with its line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recordings.errors import UNPARSABLE, why_unparsable
from sii_cli.errors import UsageError
from sii_cli.queries.mistakes import sentences
from sii_cli.queries.queries import Query

_LARGEST = 1 << 28
"""Bytes: a file that came with a link in its place may have no end."""
JSON_ENDINGS = (".jsonl", ".json")
YAML_ENDINGS = (".yaml", ".yml")
CSV_ENDING = ".csv"
STRUCTURED = {
    *("followups", "setup", "env", "allow_net", "tools", "limits", "check_files", "tags"),
}
"""What a CSV cell holds as JSON; a cell that is no JSON counts as a list of one."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong in a query file."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class QueryFile:
    """What a file says."""

    path: Path
    queries: tuple[Query, ...]
    lines: tuple[int, ...]
    """Where each query begins."""
    mistakes: tuple[Mistake, ...]


class _Broken(Exception):
    """The file, or an entry of it, cannot be read."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.mistake = Mistake(line, text)


def read_query_file(path: Path) -> QueryFile:
    """Read a query file by its ending; `.txt` and others hold a query a line.

    Mistakes are data, all of them, in the order of the file. Raises `UsageError` when there is
    nothing to read.
    """
    queries: dict[str, tuple[Query, int]] = {}
    mistakes: list[Mistake] = []
    for line, entry in _entries(path, _read(path)):
        if isinstance(entry, Mistake):
            mistakes.append(entry)
            continue
        try:
            query = Query.model_validate(entry)
        except ValidationError as error:
            mistakes += [Mistake(line, text) for text in sentences(error, entry)]
            continue
        if query.id in queries:
            first = queries[query.id][1]
            mistakes.append(Mistake(line, f"id: {query.id!r} is taken by line {first}."))
        else:
            queries[query.id] = (query, line)
    if not queries and not mistakes:
        raise UsageError(f"{path} holds no query.")
    return QueryFile(
        path=path,
        queries=tuple(query for query, _ in queries.values()),
        lines=tuple(line for _, line in queries.values()),
        mistakes=tuple(sorted(mistakes, key=lambda mistake: mistake.line)),
    )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise UsageError(f"{path} is longer than {_LARGEST:,} bytes: divide it.")
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 (byte {error.start}).") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


def is_plain(path: Path) -> bool:
    """Whether each line of a file is a query as it stands, by the file's ending."""
    return path.suffix.lower() not in (*JSON_ENDINGS, *YAML_ENDINGS, CSV_ENDING)


Entry = dict[str, Any] | Mistake


def _entries(path: Path, text: str) -> Iterator[tuple[int, Entry]]:
    ending = path.suffix.lower()
    if ending in JSON_ENDINGS:
        return _from_jsonl(text)
    if ending in YAML_ENDINGS:
        return _from_yaml(text)
    if ending == CSV_ENDING:
        return _from_csv(text)
    return _from_lines(text)


def _from_jsonl(text: str) -> Iterator[tuple[int, Entry]]:
    for line, words in enumerate(text.split("\n"), 1):
        if not words.strip():
            continue
        try:
            entry = json.loads(words, object_pairs_hook=_once_each)
        except UNPARSABLE as error:
            yield line, Mistake(line, f"not valid JSON: {why_unparsable(error)}.")
            continue
        yield line, _object(line, entry)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; a name that stands in it twice would be half lost. Raises `ValueError`."""
    entry = dict(pairs)
    if len(entry) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice")
    return entry


def _from_yaml(text: str) -> Iterator[tuple[int, Entry]]:
    """A list of queries, or a mapping whose `queries` is one."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    node = None
    try:
        root = loader.get_single_node()
        items = _yaml_items(root)
        for node in items:
            line = node.start_mark.line + 1
            yield line, _object(line, loader.construct_object(node, deep=True))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        yield line, Mistake(line, f"not valid YAML: {getattr(error, 'problem', error)}.")
    except UNPARSABLE as error:
        line = node.start_mark.line + 1 if node else 1
        yield line, Mistake(line, f"not valid YAML: {why_unparsable(error)}.")
    except _Broken as broken:
        yield broken.mistake.line, broken.mistake
    finally:
        loader.dispose()


def _yaml_items(root: Any) -> list[Any]:
    if root is None:
        return []
    if root.id == "mapping":
        root = next((value for key, value in root.value if key.value == "queries"), root)
    if root.id != "sequence":
        raise _Broken(root.start_mark.line + 1, "a list of queries is wanted here.")
    items: list[Any] = root.value
    return items


def _from_csv(text: str) -> Iterator[tuple[int, Entry]]:
    """A header, then a query a row; empty cells are not set."""
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        for row in reader:
            line = reader.line_num
            if None in row:
                yield line, Mistake(line, "more cells than the header has columns.")
                continue
            cells = {name: cell for name, cell in row.items() if cell not in (None, "")}
            yield line, {name: _cell(name, cell) for name, cell in cells.items()}
    except csv.Error as error:
        yield reader.line_num, Mistake(reader.line_num, f"not valid CSV: {error}.")


def _cell(name: str, cell: str) -> Any:
    if name not in STRUCTURED and not (name == "workspace" and cell.startswith("{")):
        return cell
    try:
        return json.loads(cell)
    except UNPARSABLE:
        return [cell]


def _from_lines(text: str) -> Iterator[tuple[int, Entry]]:
    """A query a line, as in the query files of LIMI's environment; named by their lines."""
    for line, words in enumerate(text.split("\n"), 1):
        if words.strip():
            yield line, {"id": f"line-{line}", "query": words.strip()}


def _object(line: int, entry: Any) -> Entry:
    if isinstance(entry, dict):
        return entry
    return Mistake(line, f"an object with `id` and `query` is wanted, not {type(entry).__name__}.")
