"""A batch's report once more, from the lines of its recordings alone and by other means.

Knows nothing of the code that makes reports: logs are read as JSON, pass@k is counted over the
subsets of k sessions, not by a formula.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

Lines = list[dict[str, Any]]


def recomputed(folder: Path) -> dict[str, Any]:
    """Return what `report.json` must say of the batch in the folder."""
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    logs = [_read(path) for path in sorted((folder / "recordings").rglob("events.jsonl"))]
    logs = [log for log in logs if log]
    counted = [log for log in logs if _outcome(log) not in (None, "infra")]
    by_query: dict[str, list[Lines]] = defaultdict(list)
    for log in counted:
        by_query[log[0]["data"]["query"]].append(log)
    return {
        "done": len(counted),
        "stopped": sum(_outcome(log) is None for log in logs),
        "infra": sum(_outcome(log) == "infra" for log in logs),
        "statuses": {
            status: {
                "sessions": count,
                "share": count / len(counted),
                "tokens": sum(_generated(log) for log in counted if _outcome(log) == status),
            }
            for status, count in Counter(map(_outcome, counted)).items()
        },
        "causes": Counter(
            _outcome(log) for log in counted if _outcome(log) not in ("solved", "unchecked")
        ),
        "rates": _rates([by_query[one["id"]] for one in queries if one.get("check")]),
        "by_query": {one["id"]: _query_row(by_query[one["id"]]) for one in queries},
    }


def reported(report: dict[str, Any]) -> dict[str, Any]:
    """Return the same of a `report.json`."""
    causes: Counter[str] = Counter()
    for cause in report["causes"]:
        causes[cause["status"]] += cause["sessions"]
    return {
        "done": report["done"],
        "stopped": report["stopped"],
        "infra": sum(cause["sessions"] for cause in report["infra"]),
        "statuses": {
            row["status"]: {name: row[name] for name in ("sessions", "share", "tokens")}
            for row in report["statuses"]
        },
        "causes": causes,
        "rates": [
            (rate["k"], round(rate["pass_at"], 9), round(rate["pass_all"], 9))
            for rate in report["rates"]
        ],
        "by_query": {
            row["query"]: (row["sessions"], row["solved"], row["statuses"], row["mean_tokens"])
            for row in report["by_query"]
        },
    }


def _read(path: Path) -> Lines:
    """Whole lines alone: a kill may have torn the last one."""
    whole, _, _ = path.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def _outcome(log: Lines) -> str | None:
    word = next((x["data"]["status"] for x in reversed(log) if x["type"] == "query_outcome"), None)
    return {"answered": "unchecked", "empty": "failed"}.get(str(word), word)


def _generated(log: Lines) -> int:
    usages = [line["data"]["usage"] for line in log if line["type"] == "model_response"]
    return sum(usage["completion_tokens"] for usage in usages if usage)


def _rates(of_queries: list[list[Lines]]) -> list[tuple[int, float, float]]:
    tries = [[_outcome(log) == "solved" for log in logs] for logs in of_queries if logs]
    most = max(map(len, tries), default=0)
    return [
        (
            k,
            round(fmean(fmean(map(any, combinations(one, k))) for one in _of(tries, k)), 9),
            round(fmean(fmean(map(all, combinations(one, k))) for one in _of(tries, k)), 9),
        )
        for k in range(1, most + 1)
    ]


def _of(tries: list[list[bool]], k: int) -> list[list[bool]]:
    return [one for one in tries if len(one) >= k]


def _query_row(logs: list[Lines]) -> tuple[int, int, dict[str, int], float]:
    statuses = Counter(str(_outcome(log)) for log in logs)
    tokens = round(fmean(map(_generated, logs)), 1) if logs else 0.0
    return len(logs), statuses["solved"], dict(statuses), tokens
