"""What a check reports is bounded: names, words and requirements."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sii_cli.queries.check.report import MalformedReport, read_report


def requirements(count: int = 1, name: str = "a", why: str = "") -> dict[str, Any]:
    return {"requirements": [{"name": name, "met": True, "why": why}] * count}


@pytest.mark.parametrize(
    ("beyond", "within", "says"),
    [
        (requirements(201), requirements(200), "requirements: List should have at most 200"),
        (requirements(why="w" * 2001), requirements(why="w" * 2000), "at most 2000 characters"),
        (requirements(name="n" * 501), requirements(name="n" * 500), "at most 500 characters"),
        (requirements(name=""), requirements(name="n"), "at least 1 character"),
        ({"score": 1.001}, {"score": 1}, "less than or equal to 1"),
        ({"score": -0.001}, {"score": 0}, "greater than or equal to 0"),
    ],
)
def test_a_report_beyond_its_limits_is_malformed(
    beyond: dict[str, Any], within: dict[str, Any], says: str
) -> None:
    read_report(orjson.dumps(within))
    with pytest.raises(MalformedReport, match=says):
        read_report(orjson.dumps(beyond))
