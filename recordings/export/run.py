"""An export from end to end: recordings in, one folder of files out, or nothing at all.

The same recordings and options give the same bytes. What is held in memory is one sample, and a
few bytes of each that was written.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from recordings.errors import RecordingError
from recordings.export.card import write_card, write_manifest
from recordings.export.dedupe import Duplicates
from recordings.export.files import ExportFailed, JsonLines, Parquet, RowWriter
from recordings.export.plan import ExportOptions, Source
from recordings.export.rendered import first_difference, missing_role_marker, render_sample
from recordings.export.report import ExportReport
from recordings.export.split import validation_ids
from recordings.export.target import Target
from recordings.files import failure
from recordings.fork import ancestors
from recordings.lines import check_line, prev_of
from recordings.log import is_locked, read_lines
from recordings.reviews import excluded, read_reviews
from recordings.samples.build import samples_of
from recordings.samples.sample import LeftOut, Reason, Sample, StepKey
from recordings.secrets import SecretFinder

TRAIN, VALIDATION = "train", "validation"
SCRIPT = "launch.sh"
UNKNOWN = "unknown"
"""Licence of a recording that names none."""
_FEW = 5
"""Recordings that a refusal names."""


def export(
    sources: Sequence[Source],
    out: Path,
    target: Target,
    options: ExportOptions,
    finder: SecretFinder,
    made_by: str,
) -> ExportReport:
    """Write an export into a folder that is not there yet.

    Raises `ExportFailed` when the folder is there, when a secret is found, and when nothing would
    be in it; then, as on every other failure, no file is left.
    """
    if out.exists():
        raise ExportFailed(f"{out} is there already: name a new folder, or remove it first.")
    making = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        making.mkdir(parents=True)
        report = _Export(making, target, options, finder).run(sources)
        write_manifest(making, target, options, report, made_by)
        write_card(making, target, options, report)
        making.rename(out)
    except OSError as error:
        raise failure(out, error) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return report


class _Export:
    def __init__(
        self, folder: Path, target: Target, options: ExportOptions, finder: SecretFinder
    ) -> None:
        self._folder = folder
        self._target = target
        self._options = options
        self._policy = replace(
            options.policy,
            by=target.by,
            without_ids="leave_out" if options.renderer is None else "text",
        )
        self._finder = finder
        self._report = ExportReport()
        self._duplicates = Duplicates()
        self._claimed: set[StepKey] = set()
        self._shared: set[str] = set()
        """Sessions whose steps stand in several of the recordings."""
        self._secrets: defaultdict[str, set[str]] = defaultdict(set)
        """Names of the secrets found, by recording."""
        self._writers: dict[str, RowWriter] = {}
        self._provenance = JsonLines(folder / "provenance.jsonl")
        self._left_out = JsonLines(folder / "left_out.jsonl")

    def run(self, sources: Sequence[Source]) -> ExportReport:
        ordered = sorted(sources, key=lambda source: source.id)
        for source in ordered:
            if source.parent is not None:
                self._shared |= ancestors(source.folder)
        for_validation = validation_ids(ordered, self._options.validation)
        for source in ordered:
            self._export(source, VALIDATION if source.id in for_validation else TRAIN)
        self._refuse_secrets()
        if not self._report.rows:
            raise ExportFailed(self._nothing())
        for name, text in self._target.companions.items():
            (self._folder / name).write_text(text, "utf-8")
        if self._options.with_script:
            script = self._folder / SCRIPT
            script.write_text(self._target.launch, "utf-8")
            script.chmod(0o755)
        writers = [*self._writers.values(), self._provenance, self._left_out]
        self._report.files = [writer.close() for writer in writers]
        return self._report

    def _export(self, source: Source, split: str) -> None:
        before = self._report.samples
        problem = _problem(source)
        if problem is not None:
            self._leave_out(problem)
        else:
            self._samples(source, split)
        self._report.recordings.append(
            {
                "id": source.id,
                "sha256": source.sha256,
                "approval": source.approval,
                "reviewers": list(source.reviewers),
                "split": split,
                "samples": self._report.samples - before,
            }
        )

    def _samples(self, source: Source, split: str) -> None:
        seen: set[int] = set()
        found = samples_of(
            source.folder,
            self._policy,
            excluded=excluded(read_reviews(source.folder)),
            claimed=self._claimed,
        )
        for one in found:
            if isinstance(one, LeftOut):
                self._leave_out(one)
                continue
            self._look_for_secrets(one, seen)
            checked = self._rendered(one)
            if isinstance(checked, LeftOut):
                self._leave_out(checked)
            elif (reason := self._unwanted(checked)) is not None:
                self._leave_out(LeftOut(one.recording, *reason, one.number))
            else:
                self._write(checked, source, split)

    def _rendered(self, sample: Sample) -> Sample | LeftOut:
        """Render what has no ids; prove the ids of what has, and report how rendering drifts."""
        renderer = self._options.renderer
        if renderer is None or self._target.by == "text":
            return sample
        rendered = render_sample(sample, renderer)
        if not sample.ids:
            return rendered
        missing = missing_role_marker(sample, renderer)
        if missing is not None:
            return missing
        self._report.compared += 1
        ids = rendered.ids if isinstance(rendered, Sample) else []
        at = first_difference(sample.ids, ids)
        if at is not None:
            self._report.drift.append((sample.id, at))
        return sample

    def _unwanted(self, sample: Sample) -> tuple[Reason, str] | None:
        limit, dedupe = self._options.max_tokens, self._options.dedupe
        if limit is not None and len(sample.ids) > limit:
            self._report.over_length.append((sample.id, len(sample.ids)))
            return "over_length", f"{len(sample.ids)} ids"
        if dedupe == "off":
            return None
        same = self._duplicates.find_exact(sample)
        if same is not None:
            return "duplicate", f"the same as {same}"
        near = self._duplicates.find_near(sample) if dedupe in ("report", "near") else None
        if near is None:
            return None
        like, likeness = near
        self._report.near.append((sample.id, like, round(likeness, 3)))
        return ("near_duplicate", f"{likeness:.0%} like {like}") if dedupe == "near" else None

    def _write(self, sample: Sample, source: Source, split: str) -> None:
        rows = 0
        for row in self._target.rows(sample):
            if isinstance(row, LeftOut):
                self._leave_out(row)
                continue
            number = self._writer(split).add(row)
            self._provenance.add(self._origin(sample, source, split, number))
            rows += 1
        if not rows:
            return
        self._claimed.update(key for key in sample.keys if key[0] in self._shared)
        self._report.add(sample, rows, self._license(sample))

    def _origin(self, sample: Sample, source: Source, split: str, number: int) -> dict[str, object]:
        start = sample.start
        return {
            "split": split,
            "row": number,
            "sample": sample.id,
            "recording": source.id,
            "recording_sha256": source.sha256,
            "approval": source.approval,
            "reviewers": source.reviewers,
            "model": sample.model,
            "mode": start.mode,
            "speaker": start.speaker,
            "query": start.query,
            "batch": start.batch,
            "source": start.source,
            "license": self._license(sample),
            "from": "rendered" if sample.rendered else "ids" if sample.ids else "text",
            "tokens": len(sample.ids) or None,
            "trained_tokens": sample.trained if sample.ids else None,
            "steps": [seq for _, seq in sample.keys],
        }

    def _license(self, sample: Sample) -> str:
        return sample.start.license or self._options.license or UNKNOWN

    def _writer(self, split: str) -> RowWriter:
        if split not in self._writers:
            schema = self._target.schema
            if schema is not None and (self._options.parquet or self._target.is_table):
                self._writers[split] = Parquet(self._folder / f"{split}.parquet", schema)
            else:
                self._writers[split] = JsonLines(self._folder / f"{split}.jsonl")
        return self._writers[split]

    def _look_for_secrets(self, sample: Sample, seen: set[int]) -> None:
        for turn in sample.turns:
            if turn.seq in seen:
                continue
            seen.add(turn.seq)
            for text in turn.texts():
                self._secrets[sample.recording] |= {one.name for one in self._finder.find(text)}

    def _refuse_secrets(self) -> None:
        found = {name: names for name, names in self._secrets.items() if names}
        if not found:
            return
        told = [f"{name} ({', '.join(sorted(names))})" for name, names in sorted(found.items())]
        more = f" and {len(told) - _FEW} more" if len(told) > _FEW else ""
        raise ExportFailed(
            f"Nothing was exported, for there are secrets in {'; '.join(told[:_FEW])}{more}: "
            "`sii scan ID` shows where, `sii redact ID` takes them out."
        )

    def _nothing(self) -> str:
        counts = ", ".join(f"{reason} {count}" for reason, count in self._report.left_out.items())
        if not self._report.recordings:
            return (
                "No recording is chosen: approve some first (`sii review ID`, `sii approve ID`), "
                "choose otherwise, or say --all."
            )
        return f"Nothing would be in the export; left out: {counts or 'no step was made'}."

    def _leave_out(self, left_out: LeftOut) -> None:
        self._report.leave_out(left_out)
        told = {key: value for key, value in asdict(left_out).items() if value not in (None, "")}
        self._left_out.add(told)


def _problem(source: Source) -> LeftOut | None:
    """Prove that a recording is what was chosen: every line, the chain, the last line's hash."""
    if is_locked(source.folder):
        return LeftOut(source.id, "being_written", "its session has not ended")
    before = ""
    try:
        for line in read_lines(source.folder):
            sha256 = check_line(line.text)
            if sha256 is None or prev_of(line.text) != before:
                return LeftOut(source.id, "damaged", f"line {line.number} is not what was written")
            before = sha256
    except RecordingError as error:
        return LeftOut(source.id, "damaged", str(error))
    if before != source.sha256:
        return LeftOut(source.id, "damaged", "it is not what it was when it was chosen")
    return None
