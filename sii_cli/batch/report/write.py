"""Writes the report of a batch into its folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from recordings.storage.files import replace_file
from sii_cli.batch.report.markdown import report_markdown
from sii_cli.batch.report.report import BatchReport


def write_report(folder: Path, report: BatchReport) -> None:
    """Write `report.json` and `report.md`. Raises `RecordingFailed`."""
    replace_file(folder, "report.json", json.dumps(asdict(report), indent=2).encode() + b"\n")
    replace_file(folder, "report.md", report_markdown(report).encode())
