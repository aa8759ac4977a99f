"""The files beside the data: the manifest for programs, the data set's card for people."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import orjson

from recordings.export.plan import ExportOptions
from recordings.export.report import ExportReport, spread
from recordings.export.target import ExportTarget
from recordings.index.stats import LIMI
from recordings.markdown import escape_markdown
from recordings.reviews.agreement_report import AgreementReport

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9.+-]*")
_NO_TEXTS = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
"""What YAML does not read as a string."""
_LONGEST_NAME = 80
VERSION = 1
"""Version of the manifest's form."""
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_REASONS = {
    "excluded": "a reviewer excluded the step",
    "cut_off": "the message was cut off before its stop token",
    "flagged": "the response has flags",
    "failed_call": "a call of the step failed",
    "refused": "a human or a rule did not permit a call of the step",
    "repeated": "the model repeated itself",
    "compaction": "the model summarised its own session",
    "after_outage": "an earlier call of the round hit an outage",
    "no_source": "the step claims what no opened source has",
    "human_text": "an annotator wrote the step",
    "after_human_text": "the step follows an annotator's text",
    "redacted": "ids were removed with a secret",
    "ids_missing": "the server reported no token ids",
    "stop_token_missing": "the generated ids do not end with the stop token",
    "trained_in_parent": "another recording of the family trains the step",
    "no_trained_token": "no step of the sample is trained",
    "over_length": "the sample is longer than the limit",
    "not_expressible": "the format cannot hold it as it was",
    "not_renderable": "the chat template does not give what was generated",
    "role_marker_missing": "the template's role marker is not before the generated ids",
    "duplicate": "the same sample is in the export already",
    "near_duplicate": "nearly the same sample is in the export already",
    "no_consent": "its speaker does not consent, or has withdrawn",
    "damaged": "the recording is not what was written, or not what was chosen",
    "being_written": "the session has not ended",
    "missing": "a recording of the pair does not exist",
    "unapproved": "the better recording of the pair is not approved",
    "other_prompt": "the two of the pair have different prompts",
    "parted_early": "the two of the pair differ before the last segment of both",
}


def write_manifest(
    folder: Path,
    target: ExportTarget[Any],
    options: ExportOptions,
    report: ExportReport,
    made_by: str,
) -> None:
    """Write `manifest.json`: every file and every recording with its hash."""
    policy = asdict(options.policy)
    policy |= {"by": target.by, "allowed_flags": []}  # no version allowed flags
    manifest = {
        "manifest": VERSION,
        "made_by": made_by,
        "format": target.name,
        "policy": policy,
        "options": {
            "max_tokens": options.max_tokens,
            "validation": options.validation,
            "dedupe": options.dedupe,
        },
        "review": None if options.protocol is None else asdict(options.protocol),
        "files": [asdict(file) for file in report.files],
        "samples": report.samples,
        "rows": report.rows,
        "trained_steps": report.steps,
        "tokens": sum(report.lengths),
        "trained_tokens": report.trained,
        "left_out": dict(sorted(report.left_out.items())),
        "rendered": report.rendered,
        "drift": {
            "compared": report.compared,
            "differing": [{"sample": name, "at": at} for name, at in report.drift],
        },
        "over_length": [{"sample": name, "tokens": size} for name, size in report.over_length],
        "near_duplicates": [
            {"sample": name, "like": other, "likeness": likeness}
            for name, other, likeness in report.near
        ],
        "recordings": report.recordings,
    }
    text = orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    (folder / "manifest.json").write_bytes(text)


def write_card(
    folder: Path, target: ExportTarget[Any], options: ExportOptions, report: ExportReport
) -> None:
    """Write `README.md`, the data set's card in the form of the Hugging Face hub."""
    parts = [
        _front_matter(target, report),
        f"# Agent trajectories ({target.name})\n",
        "Recorded with `sii`: sessions of a model that works with tools in a sandbox. "
        "One sample is one segment of model calls, each continuing exactly where the last "
        "stopped.\n",
        "## Rows\n",
        target.usage,
        "## Figures\n",
        _figures(report, options),
        "## What is not in it\n",
        _left_out(report),
        "## Files\n",
        _files(report, options),
    ]
    (folder / "README.md").write_text("\n".join(parts), "utf-8")


def _front_matter(target: ExportTarget[Any], report: ExportReport) -> str:
    names = sorted(report.licenses)
    size = next((word for limit, word in _SIZES if report.rows < limit), "n>1M")
    data = [file.name for file in report.files if file.name.startswith(("train", "validation"))]
    lines = [
        "---",
        *_license(names),
        "task_categories:",
        "- text-generation",
        "tags:",
        "- agent",
        "- tool-use",
        f"- {target.name}",
        "size_categories:",
        f"- {size}",
        "configs:",
        "- config_name: default",
        "  data_files:",
    ]
    for name in data:
        lines += [f"  - split: {name.split('.')[0]}", f"    path: {name}"]
    return "\n".join([*lines, "---", ""])


def _license(names: Sequence[str]) -> list[str]:
    """Return the lines that name the licence; one that is not an identifier is quoted."""
    name = _printable(names[0]) if len(names) == 1 else ""
    if _IDENTIFIER.fullmatch(name) and name.lower() not in _NO_TEXTS:
        return [f"license: {name.lower()}"]
    # Of printable characters, a JSON string is a YAML string.
    named = [f"license_name: {json.dumps(name, ensure_ascii=False)}"] if name else []
    return ["license: other", *named]


def _figures(report: ExportReport, options: ExportOptions) -> str:
    rows = [
        ("recordings", f"{sum(1 for one in report.recordings if one['samples']):,}"),
        ("samples", f"{report.samples:,}"),
        ("rows", f"{report.rows:,}"),
        ("trained steps", f"{report.steps:,}"),
        ("tokens", f"{sum(report.lengths):,}"),
        ("trained tokens", f"{report.trained:,}"),
        *_reviewed(report, options),
        *_consents(report),
        *_ended(report),
        *_rendered(report),
        *_conditions(report),
        ("models", _counts(report.models)),
        ("licences", _counts(report.licenses)),
        *([("data sets", _counts(report.data))] if report.data else []),
        ("calls by tool", _counts(report.tools)),
    ]
    table = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]
    lengths = spread(report.lengths)
    if lengths:
        table += [
            "| tokens a sample | min | mean | max |",
            "|---|---|---|---|",
            f"| here | {lengths['min']:,} | {lengths['mean']:,} | {lengths['max']:,} |",
            f"| LIMI (a trajectory) | {LIMI['min']:,} | {LIMI['mean']:,} | {LIMI['max']:,} |",
            "",
        ]
    return "\n".join(table)


def _consents(report: ExportReport) -> list[tuple[str, str]]:
    """Return what the speakers consented to, where a recording says it."""
    exported = [one for one in report.recordings if one["samples"]]
    if not any("consent" in one for one in exported):
        return []
    said = Counter(one.get("consent", "unknown") for one in exported)
    return [("consent of the speakers", _counts(said))]


def _reviewed(report: ExportReport, options: ExportOptions) -> list[tuple[str, str]]:
    found = []
    if (protocol := options.protocol) is not None:
        need = f", at least {protocol.reviewers} reviewers" if protocol.reviewers > 1 else ""
        found.append(("review policy", f"{protocol.policy}{need}"))
    if protocol is not None and protocol.machines:
        found.append(("counted like a reviewer", ", ".join(protocol.machines)))
    if protocol is not None and protocol.blind:
        shown = "with the check shown first" if protocol.show_check else "with the check hidden"
        found.append(("reviewed blind", f"{shown}, until one's own verdict was given"))
    found += _agreement(options.agreement)
    if dissent := sum(1 for one in report.recordings if one["samples"] and one["dissent"]):
        found.append(("recordings on which a reviewer is of another opinion", f"{dissent:,}"))
    return found


def _agreement(agreement: AgreementReport | None) -> list[tuple[str, str]]:
    """Return how far the reviewers agree, where two of them judged the same recording."""
    if agreement is None:
        return []
    found = [
        (f"agreement on {_cell(name)}", one.words)
        for name, one in agreement.questions.items()
        if one.pairs
    ]
    if agreement.below_floor:
        verdicts = agreement.reviewers.total()
        words = f"{agreement.below_floor:,} of {verdicts:,}"
        found.append(("verdicts on less of a recording than the protocol wants opened", words))
    if agreement.error_share is not None:
        found.append(("estimated share of wrong approvals", agreement.error_share.words))
    return found


def _ended(report: ExportReport) -> list[tuple[str, str]]:
    """Return how the sessions ended, and what reviewers took out of them."""
    used = [one for one in report.recordings if one["samples"]]
    found = [("outcomes", _counts(Counter(one["outcome"] or "unknown" for one in used)))]
    if scores := [one["score"] for one in used if one["score"] is not None]:
        spread_of = f"{min(scores):.2f} / {fmean(scores):.2f} / {max(scores):.2f}"
        found.append((f"score, min / mean / max ({len(scores):,} with a score)", spread_of))
    if excluded := sum(one["excluded_events"] for one in used):
        found.append(("events that reviewers excluded", f"{excluded:,}"))
    return found


def _rendered(report: ExportReport) -> list[tuple[str, str]]:
    found = []
    if report.uncounted:
        why = "not written by this home, nor signed with a key that it knows"
        found.append((f"reviews not counted ({why})", f"{report.uncounted:,}"))
    if report.rendered:
        found.append(("samples rendered from messages", f"{report.rendered:,}"))
    if report.compared:
        told = f"{len(report.drift):,} of {report.compared:,}"
        found.append(("samples with ids that their messages are not rendered to", told))
    return found


def _conditions(report: ExportReport) -> list[tuple[str, str]]:
    """Return rows where sessions differ in what a collection should share."""
    found = []
    if len(report.prompts) > 1:
        found.append(("**system prompts and tools that differ**", _counts(report.prompts)))
    if report.departures:
        found.append(("recordings that depart from the pins", _counts(report.departures)))
    return found


def _left_out(report: ExportReport) -> str:
    if not report.left_out:
        return "Nothing of the chosen recordings was left out.\n"
    lines = [
        f"- {count:,} × {reason}: {_REASONS[reason]}"
        for reason, count in sorted(report.left_out.items())
    ]
    return "\n".join([*lines, "", "Each with its place in `left_out.jsonl`.", ""])


def _files(report: ExportReport, options: ExportOptions) -> str:
    lines = ["| file | rows | sha256 |", "|---|---|---|"]
    lines += [f"| `{file.name}` | {file.rows:,} | `{file.sha256}` |" for file in report.files]
    notes = [
        "",
        "`provenance.jsonl` has a line for every row: recording and its hash, reviewers, "
        "outcome, score, model, query, licence, steps. `manifest.json` has the hash of every "
        "source.",
    ]
    if options.validation:
        notes.append(
            "Recordings that share a query, a first message or a family are on one side of it."
        )
    return "\n".join([*lines, *notes, ""])


def _counts(counts: Counter[str]) -> str:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{_cell(name)} {count:,}" for name, count in ordered) or "none"


def _cell(text: str) -> str:
    """Escape a name that a model or a user gave, so that it cannot break a table."""
    return escape_markdown(_printable(text))


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text[:_LONGEST_NAME])
