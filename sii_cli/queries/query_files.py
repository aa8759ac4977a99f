"""Reads query files: JSONL, YAML, CSV and plain lines; every mistake with its line."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recordings.errors import MALFORMED, UNPARSABLE, why_unparsable
from sii_cli.errors import UsageError
from sii_cli.queries.mistakes import sentences
from sii_cli.queries.queries import Query

_LARGEST = 1 << 28
"""Bytes: a file that came with a link in its place may have no end."""
MOST_QUERIES = 1_000_000
"""As many as a plan may have sessions."""
MOST_MISTAKES = 1000
"""Mistakes after which a file is not read further."""
LONGEST_QUERY = 31 << 20
"""Bytes of one query as JSON: a line of a plan holds it, and a line of a recording each text."""
_MOST_ESCAPED = 6
"""Bytes of a character in JSON."""
_MOST_COLUMNS = 1000
_LONGEST_NUMBER = 4300
"""Digits, as Python reads."""
JSON_ENDINGS = (".jsonl", ".json")
YAML_ENDINGS = (".yaml", ".yml")
CSV_ENDING = ".csv"
STRUCTURED = {
    *("followups", "data", "setup", "env", "allow_net", "tools", "limits", "check_files", "tags"),
}
"""Columns of CSV that hold JSON; a cell that is not JSON counts as a list of one."""


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

    Mistakes are data, the first thousand or so, in the order of the file. Raises `UsageError` when
    there is nothing to read, or too much.
    """
    queries: dict[str, tuple[Query, int]] = {}
    mistakes: list[Mistake] = []
    for line, entry in _entries(path, _read(path)):
        if len(mistakes) >= MOST_MISTAKES:
            mistakes.append(
                Mistake(line, "what follows was not read: there are too many mistakes.")
            )
            break
        if len(queries) == MOST_QUERIES:
            raise UsageError(f"{path} holds more than {MOST_QUERIES:,} queries: divide it.")
        if isinstance(entry, Mistake):
            mistakes.append(entry)
            continue
        try:
            query = Query.model_validate(entry)
        except ValidationError as error:
            texts = islice(sentences(error, entry), MOST_MISTAKES)
            mistakes += [Mistake(line, text) for text in texts]
            continue
        if _is_too_long(query):
            most = LONGEST_QUERY >> 20
            text = f"a query of more than {most} MiB: put such data into a file of its workspace."
            mistakes.append(Mistake(line, text))
        elif query.id in queries:
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


def _is_too_long(query: Query) -> bool:
    """Return whether no plan and no recording could hold a query."""
    texts = (query.query, *query.followups, *query.setup, *query.env.values(), *query.tags)
    more = (query.check, query.rubric, query.source, query.license, query.author)
    size = sum(map(len, texts)) + sum(len(one) for one in more if one is not None)
    may_be = size > LONGEST_QUERY // (2 * _MOST_ESCAPED)
    return may_be and len(query.model_dump_json().encode()) > LONGEST_QUERY


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
    for line, words in _numbered(text):
        try:
            entry = json.loads(words, object_pairs_hook=_once_each)
        except UNPARSABLE as error:
            yield line, Mistake(line, f"not valid JSON: {why_unparsable(error)}.")
            continue
        yield line, _object(line, entry)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; a name that is given twice would lose one value. Raises `ValueError`."""
    entry = dict(pairs)
    if len(entry) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, times in counts.items() if times > 1)
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
        _check_sizes(items)
        for node in items:
            line = node.start_mark.line + 1
            yield line, _object(line, loader.construct_object(node, deep=True))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        yield line, Mistake(line, f"not valid YAML: {getattr(error, 'problem', error)}.")
    except MALFORMED as error:
        line = node.start_mark.line + 1 if node else 1
        is_told = isinstance(error, UNPARSABLE)
        why = why_unparsable(error) if is_told else "a value does not fit its tag"
        yield line, Mistake(line, f"not valid YAML: {why}.")
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


def _check_sizes(items: list[Any]) -> None:
    """Raise `ValueError` if a few lines expand to more than is read of any file.

    An alias costs three characters and repeats what it names, which may hold others.
    """
    known: dict[int, int] = {}
    if sum(_size(node, known) for node in items) > _LARGEST:
        raise ValueError(f"its aliases expand to more than {_LARGEST:,} characters")


def _size(node: Any, known: dict[int, int]) -> int:
    """Return how many characters and values a node expands to. `known`: of nodes, by their ids.

    Raises `ValueError` for what holds itself, and for numbers that take long to read.
    """
    if (size := known.get(id(node), 0)) < 0:
        raise ValueError("an alias names what it is in")
    if size:
        return size
    known[id(node)] = -1
    if node.id == "scalar":
        if _is_number(node) and len(node.value) > _LONGEST_NUMBER:
            raise ValueError("a number of too many digits")
        size = len(node.value)
    elif node.id == "mapping":
        if any(map(_is_number, (name for name, _ in node.value))):
            raise ValueError("a number instead of a name")  # their hashes may be equal
        size = sum(_size(one, known) for pair in node.value for one in pair)
    else:
        size = sum(_size(one, known) for one in node.value)
    known[id(node)] = size + 1
    return size + 1


def _is_number(node: Any) -> bool:
    return str(node.tag).endswith((":int", ":float"))


def _from_csv(text: str) -> Iterator[tuple[int, Entry]]:
    """A header, then a query a row; empty cells are not set."""
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        if len(reader.fieldnames or ()) > _MOST_COLUMNS:
            raise csv.Error(f"its header has more than {_MOST_COLUMNS:,} columns")
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
    for line, words in _numbered(text):
        yield line, {"id": f"line-{line}", "query": words.strip()}


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that hold something, and their numbers; never all at once."""
    at = 0
    for line in count(1):
        end = text.find("\n", at)
        words = text[at:] if end < 0 else text[at:end]
        if words.strip():
            yield line, words
        if end < 0:
            return
        at = end + 1


def _object(line: int, entry: Any) -> Entry:
    if isinstance(entry, dict):
        return entry
    return Mistake(line, f"an object with `id` and `query` is wanted, not {type(entry).__name__}.")
