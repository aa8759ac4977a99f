"""The page of query files, from the model that checks them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from scripts.reference.markdown import fenced, page, plain, table
from sii_cli.queries.queries import GitWorkspace, Query, QueryLimits

_EXAMPLE = """\
- id: split
  query: One test of this package fails. Find the bug and fix it.
  workspace: ledger
  check: python3 -P -m pytest -q tests
  check_files: [tests, "**/conftest.py"]
  limits: {steps: 40, seconds: 900}
- id: totals
  query: What do the invoices in invoices.csv come to, by customer?
  workspace: {git: repos/ledger, commit: 3f2c9d1}
  tags: [data]
"""


def pages() -> dict[str, str]:
    """Return the page of query files."""
    return {
        "query-files.md": page(
            "Query files",
            "`sii batch FILE` reads JSONL, YAML (a list, or `queries:`), CSV with a header, or "
            "plain text with a query a line. Paths are relative to the file. "
            "`sii batch --schema` prints the JSON schema, `sii batch --validate FILE` lists every "
            "mistake with its line. [Batches](../guides/batch.md) says what becomes of them.",
            fenced(_EXAMPLE, "yaml"),
            "## Fields",
            _fields(Query),
            "## `limits`",
            _fields(QueryLimits),
            "## `workspace` as a repository",
            _fields(GitWorkspace),
            "A repository is at its commit and holds nothing newer: a later fix is not in reach.",
        )
    }


def _fields(model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    required = schema.get("required", ())
    rows = [
        (
            f"`{name}`",
            _kind(field) + (", required" if name in required else ""),
            plain(field.get("description", "")),
        )
        for name, field in schema["properties"].items()
    ]
    return table(("field", "type", ""), rows)


def _kind(field: dict[str, Any]) -> str:
    """Say what a field holds, in JSON's words."""
    if "anyOf" in field:
        kinds = [_kind(one) for one in field["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "$ref" in field:
        return "object"
    if field.get("type") == "array":
        return f"list of {_kind(field['items'])}s"
    return str(field["type"])
