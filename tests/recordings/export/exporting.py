"""Exports of told sessions, for the tests of every format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recordings.export.plan import ChosenRecording, ExportOptions
from recordings.export.registry import find_target
from recordings.export.report import ExportReport
from recordings.export.run import export
from recordings.redaction.secrets import SecretFinder
from recordings.storage.log import recording_hash


def source(folder: Path, **about: Any) -> ChosenRecording:
    return ChosenRecording(folder, recording_hash(folder), **about)


def exported(
    out: Path, format_: str, *sources: Path | ChosenRecording, **options: Any
) -> ExportReport:
    """Export recordings (or sources) in a format."""
    chosen = [one if isinstance(one, ChosenRecording) else source(one) for one in sources]
    target = find_target(format_)
    finder = SecretFinder({"DEPLOY_KEY": "correct-horse-battery"})
    return export(chosen, out, target, ExportOptions(**options), finder, "sii 0")


def lines(path: Path) -> list[dict[str, Any]]:
    with path.open() as file:  # `splitlines` would also split at what stands in texts
        return [json.loads(line) for line in file]


def rows(out: Path, split: str = "train") -> list[dict[str, Any]]:
    return lines(out / f"{split}.jsonl")
