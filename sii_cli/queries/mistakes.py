"""Sentences about the mistakes in a query."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from sii_cli.queries.queries import WANTED, GitWorkspace, Query

_FORMS = {"constrained-str": str, GitWorkspace.__name__: dict}
"""Forms that a workspace may have, as pydantic names them, and what is written for each."""
_WANTED = {
    "tuple_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "finite_number": "a finite number",
    "string_unicode": "a text that is valid Unicode",
}


def sentences(error: ValidationError, entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for every problem of a query: the field, and what is wrong with it."""
    for problem in error.errors():
        forms = [form for part in problem["loc"] if (form := _FORMS.get(str(part)))]
        if not forms or isinstance(entry.get("workspace"), forms[0]):
            yield _say(problem)
        elif forms == [str] and not isinstance(entry.get("workspace"), str | dict):
            yield "workspace: wants a path, or an object with `git` and `commit`."


def _say(problem: Any) -> str:
    parts = [str(part) for part in problem["loc"] if part not in _FORMS and part != "[key]"]
    place = ".".join(parts)
    match problem["type"]:
        case "extra_forbidden":
            nearest = difflib.get_close_matches(parts[-1], Query.model_fields, n=1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else "there is no such field."
            return f"{place}: {hint}"
        case "missing":
            return f"{place}: is missing."
        case "string_pattern_mismatch":
            return f"{place}: wants {WANTED[problem['ctx']['pattern']]}."
        case kind if kind in _WANTED:
            return f"{place}: wants {_WANTED[kind]}."
    message = problem["msg"].removeprefix("Input should be ")
    return f"{place}: wants {message}." if message != problem["msg"] else f"{place}: {message}."
