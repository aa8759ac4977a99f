"""Running an export: from recordings to one folder of files, or to nothing when it fails.

The same recordings and options give the same bytes. Memory holds one sample, and a few bytes of
each that was written.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from recordings.conversation.fork import ancestors
from recordings.errors import UNREADABLE, why_damaged
from recordings.export.card import write_card, write_manifest
from recordings.export.dedupe import Duplicates
from recordings.export.files import ExportFailed, JsonLines, Parquet, RowWriter
from recordings.export.pair_samples import Pair, pair_up
from recordings.export.plan import ChosenPair, ChosenRecording, ExportOptions
from recordings.export.proof import Proofs
from recordings.export.provenance import data_of, origin_of
from recordings.export.rendered import first_difference, missing_role_marker, render_sample
from recordings.export.report import ExportReport, short_hashes
from recordings.export.split import validation_ids
from recordings.export.target import ExportTarget
from recordings.pins import departures
from recordings.redaction.secrets import SecretFinder
from recordings.reviews.reviews import counted_reviews, excluded_events
from recordings.samples.build import samples_of
from recordings.samples.policy import SamplePolicy
from recordings.samples.sample import LeftOut, Reason, Sample, StepKey
from recordings.storage.files import failure

TRAIN, VALIDATION = "train", "validation"
SCRIPT = "launch.sh"
UNKNOWN = "unknown"
"""Licence of a recording without one."""
_FEW = 5
"""Most recordings that a message names."""
_NO_RECORDING = (
    "No recording is chosen: approve some first (`sii review ID`, `sii approve ID`), "
    "choose otherwise, or say --all."
)
_NO_PAIR = (
    "No pair is chosen: approve one recording and reject another of the same forks, or of one "
    "query of one batch, or name a batch's pairs with --pairs FILE."
)


def export(
    units: Sequence[ChosenRecording | ChosenPair],
    out: Path,
    target: ExportTarget[Any],
    options: ExportOptions,
    finder: SecretFinder,
    made_by: str,
    left_out: Sequence[LeftOut] = (),
) -> ExportReport:
    """Write an export into a new folder.

    `units`: the recordings, or pairs of them for a target of pairs; `left_out`: what is already
    known to be left out.
    Raises `ExportFailed` when the folder exists, when a secret is found, and when the export would
    be empty; then, as after every other failure, no file is left.
    """
    if os.path.lexists(out):
        raise ExportFailed(f"{out} exists already: name a new folder, or remove it first.")
    making = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        making.mkdir(parents=True)
    except OSError as error:
        raise failure(out, error) from error
    try:
        running = _Export(making, target, options, finder)
        with closing(running):
            report = running.run(units, left_out)
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
        self, folder: Path, target: ExportTarget[Any], options: ExportOptions, finder: SecretFinder
    ) -> None:
        self._folder = folder
        self._target = target
        self._options = options
        self._policy = replace(
            options.policy,
            by=target.by,
            without_ids="text" if target.by == "both" or options.renderer else "leave_out",
        )
        self._finder = finder
        self._report = ExportReport()
        self._duplicates = Duplicates()
        self._claimed: set[StepKey] = set()
        self._shared: set[str] = set()
        """Sessions whose steps are in several of the recordings."""
        self._secrets: defaultdict[str, set[str]] = defaultdict(set)
        """Names of the secrets found, by recording."""
        self._recordings: dict[str, dict[str, Any]] = {}
        """What the report says of each, by id."""
        self._proofs = Proofs()
        self._reported: set[str] = set()
        """Recordings of pairs whose left-out steps were reported."""
        self._writers: dict[str, RowWriter] = {}
        self._provenance = JsonLines(folder / "provenance.jsonl")
        self._left_out = JsonLines(folder / "left_out.jsonl")

    def run(
        self, units: Sequence[ChosenRecording | ChosenPair], left_out: Sequence[LeftOut]
    ) -> ExportReport:
        ordered = sorted(units, key=lambda unit: unit.id)
        for unit in ordered:
            if isinstance(unit, ChosenRecording) and unit.parent is not None:
                with suppress(*UNREADABLE):  # reported when its lines are checked
                    self._shared |= ancestors(unit.folder)
        for_validation = validation_ids(ordered, self._options.validation)
        for one in left_out:
            self._leave_out(one)
        for unit in ordered:
            self._export(unit, VALIDATION if unit.id in for_validation else TRAIN)
        self._report.recordings = list(self._recordings.values())
        self._report.uncounted = sum(
            recording["uncounted_reviews"] for recording in self._report.recordings
        )
        self._compare({source.id: source for unit in ordered for source in unit.sources})
        self._refuse_secrets()
        if not self._report.rows:
            raise ExportFailed(self._nothing())
        for name, text in self._target.companions.items():
            (self._folder / name).write_text(text, "utf-8")
        if self._options.with_script:
            script = self._folder / SCRIPT
            script.write_text(self._target.launch, "utf-8")
            script.chmod(0o755)
        self._report.files = [writer.close() for writer in self._all_writers()]
        return self._report

    def _compare(self, sources: Mapping[str, ChosenRecording]) -> None:
        """Count in what the exported recordings differ from each other and from the pins."""
        exported = [one for name, one in sources.items() if self._recordings[name]["samples"]]
        for source in exported:
            if source.facts:
                self._report.prompts[short_hashes(source.facts)] += 1
                self._report.departures.update(departures(source.facts, self._options.pins))

    def close(self) -> None:
        """Close the files, also those of an export that was refused."""
        for writer in self._all_writers():
            writer.release()

    def _all_writers(self) -> list[RowWriter]:
        return [*self._writers.values(), self._provenance, self._left_out]

    def _export(self, unit: ChosenRecording | ChosenPair, split: str) -> None:
        problems = [told for one in unit.sources if (told := self._proofs.problem(one)) is not None]
        for source in unit.sources:
            self._recordings.setdefault(
                source.id,
                {
                    "id": source.id,
                    "sha256": source.sha256,
                    "approval": source.approval,
                    "reviewers": list(source.reviewers),
                    "dissent": list(source.dissent),
                    "uncounted_reviews": source.uncounted,
                    "outcome": source.outcome,
                    "score": source.score,
                    "excluded_events": source.excluded,
                    "split": split,
                    "samples": 0,
                    **({"consent": source.consent} if source.consent is not None else {}),
                },
            )
        for problem in problems:
            self._leave_out(problem)
        if problems:
            return
        seen: set[tuple[str, int]] = set()
        for one in self._readable(unit):
            if isinstance(one, LeftOut):
                self._leave_out(one)
                continue
            self._look_for_secrets(one, seen)
            checked = self._rendered(one) if isinstance(one, Sample) else one
            if isinstance(checked, LeftOut):
                self._leave_out(checked)
            elif (reason := self._unwanted(checked)) is not None:
                self._leave_out(one.left_out(*reason))
            else:
                self._write(checked, unit, split)

    def _readable(self, unit: ChosenRecording | ChosenPair) -> Iterator[Sample | Pair | LeftOut]:
        """Yield the examples that can be read, then what is wrong with the rest."""
        try:
            yield from self._examples(unit)
        except UNREADABLE as error:
            for source in unit.sources:
                yield LeftOut(source.id, "damaged", why_damaged(error))

    def _examples(self, unit: ChosenRecording | ChosenPair) -> Iterator[Sample | Pair | LeftOut]:
        """Yield a recording's samples, or the pair of two; report each left-out step once."""
        if isinstance(unit, ChosenRecording):
            yield from self._samples(unit)
            return
        names = (unit.chosen.id, unit.rejected.id)
        worse = self._samples(unit.rejected, replace(self._policy, refused="train"))
        found = pair_up(names, self._samples(unit.chosen), worse)
        for one in found:
            if isinstance(one, Pair) or one.rejected or one.recording not in self._reported:
                yield one
        self._reported.update(names)

    def _samples(
        self, source: ChosenRecording, policy: SamplePolicy | None = None
    ) -> Iterator[Sample | LeftOut]:
        return samples_of(
            source.folder,
            policy or self._policy,
            excluded=excluded_events(
                counted_reviews(source.folder, self._options.keys_of(source.folder))
            ),
            claimed=self._claimed,
        )

    def _rendered(self, sample: Sample) -> Sample | LeftOut:
        """Render samples without ids; check samples with ids, and report drift."""
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

    def _unwanted(self, example: Sample | Pair) -> tuple[Reason, str] | None:
        limit, dedupe = self._options.max_tokens, self._options.dedupe
        length = max(len(sample.ids) for sample in example.samples)
        if limit is not None and length > limit:
            self._report.over_length.append((example.id, length))
            return "over_length", f"{length} ids"
        if dedupe == "off":
            return None
        same = self._duplicates.find_exact(example)
        if same is not None:
            return "duplicate", f"the same as {same}"
        near = self._duplicates.find_near(example) if dedupe in ("report", "near") else None
        if near is None:
            return None
        like, likeness = near
        self._report.near.append((example.id, like, round(likeness, 3)))
        return ("near_duplicate", f"{likeness:.0%} like {like}") if dedupe == "near" else None

    def _write(
        self, example: Sample | Pair, unit: ChosenRecording | ChosenPair, split: str
    ) -> None:
        rows = 0
        for row in self._target.rows(example):
            if isinstance(row, LeftOut):
                self._leave_out(row)
                continue
            number = self._writer(split).add(row)
            self._provenance.add(
                {"split": split, "row": number, **origin_of(example, unit, self._license)}
            )
            rows += 1
        if not rows:
            return
        self._report.rows += rows
        for sample in example.samples:
            self._claimed.update(key for key in sample.keys if key[0] in self._shared)
            self._report.add(sample, self._license(sample))
            recording = self._recordings[sample.recording]
            recording["samples"] += 1
            if data := data_of(sample):
                recording["data"] = data

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

    def _look_for_secrets(self, example: Sample | Pair, seen: set[tuple[str, int]]) -> None:
        places = ((sample.recording, turn) for sample in example.samples for turn in sample.turns)
        for recording, turn in places:
            if (recording, turn.seq) in seen:
                continue
            seen.add((recording, turn.seq))
            for text in turn.texts():
                self._secrets[recording] |= {one.name for one in self._finder.find(text)}

    def _refuse_secrets(self) -> None:
        found = {name: names for name, names in self._secrets.items() if names}
        if not found:
            return
        told = [f"{name} ({', '.join(sorted(names))})" for name, names in sorted(found.items())]
        more = f" and {len(told) - _FEW} more" if len(told) > _FEW else ""
        raise ExportFailed(
            f"Nothing was exported, because there are secrets in {'; '.join(told[:_FEW])}{more}: "
            "`sii scan ID` shows where, `sii redact ID` removes them."
        )

    def _nothing(self) -> str:
        counts = ", ".join(f"{reason} {count}" for reason, count in self._report.left_out.items())
        if not (self._report.recordings or counts):
            return _NO_PAIR if self._target.of_pairs else _NO_RECORDING
        return f"Nothing would be in the export; left out: {counts or 'no step was made'}."

    def _leave_out(self, left_out: LeftOut) -> None:
        self._report.leave_out(left_out)
        told = {key: value for key, value in asdict(left_out).items() if value not in (None, "")}
        self._left_out.add(told)
