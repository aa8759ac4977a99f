"""The part of a filter that a query of the index decides, as conditions in SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recordings.index.find import Filter


def sql_conditions(where: Filter) -> tuple[str, list[Any]]:
    """Return the conditions on a recording `r`, and the values of their placeholders."""
    found: list[tuple[str, Any]] = [
        ("instr(lower(r.first_message), lower(?))", where.text),
        ("instr(lower(r.model), lower(?))", where.model),
        ("r.mode = ?", where.mode),
        ("r.started >= ?", where.since),
        ("r.started < ?", where.until),
        ("r.query = ?", where.query),
        ("? IN (r.folder, r.batch)", where.batch),
        ("r.number IN (SELECT number FROM tags WHERE tag = ?)", where.tag),
        ("r.number IN (SELECT number FROM tools WHERE name = ?)", where.tool),
        ("r.number IN (SELECT number FROM errors WHERE kind = ?)", where.error),
        ("r.number IN (SELECT number FROM verdicts WHERE reviewer = ?)", where.reviewer),
        (
            "NOT EXISTS (SELECT 1 FROM verdicts v WHERE v.number = r.number "
            "AND v.sha256 = r.head AND v.reviewer = ?)",
            where.unjudged_by,
        ),
        (
            "NOT EXISTS (SELECT 1 FROM authors a WHERE a.number = r.number AND a.name = ?)",
            where.judge,
        ),
        ("r.score >= ?", where.score[0]),
        ("r.score <= ?", where.score[1]),
        ("r.tokens >= ?", where.tokens[0]),
        ("r.tokens <= ?", where.tokens[1]),
        ("r.steps >= ?", where.steps[0]),
        ("r.steps <= ?", where.steps[1]),
        ("r.ended - r.started >= ?", where.duration[0]),
        ("r.ended - r.started <= ?", where.duration[1]),
    ]
    asked = [(condition, value) for condition, value in found if value is not None]
    if where.ids:
        asked.append(("r.id IN (SELECT value FROM json_each(?))", json.dumps(where.ids)))
    conditions = " AND ".join(condition for condition, _ in asked)
    return conditions or "1", [value for _, value in asked]
