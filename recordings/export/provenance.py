"""The provenance of a row: recordings with hashes, reviewers, model, query, licence, steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from recordings.export.pair_samples import Pair
from recordings.export.plan import ChosenPair, ChosenRecording
from recordings.samples.sample import Sample


def origin_of(
    example: Sample | Pair, unit: ChosenRecording | ChosenPair, license_of: Callable[[Sample], str]
) -> dict[str, Any]:
    """Return where an example comes from; for a pair, the worse one is under `rejected`."""
    first, *others = (
        _origin(sample, source, license_of(sample))
        for sample, source in zip(example.samples, unit.sources, strict=True)
    )
    if isinstance(unit, ChosenPair):
        first |= {"because": unit.because, "rejected": others[0]}
    return first


def data_of(sample: Sample) -> list[dict[str, Any]]:
    """Return what provenance and manifest say of a sample's data sets."""
    return [{"name": one.name, "sha256": one.sha256, "license": one.license} for one in sample.data]


def _origin(sample: Sample, source: ChosenRecording, license_name: str) -> dict[str, Any]:
    start = sample.start
    return {
        "sample": sample.id,
        "recording": source.id,
        "recording_sha256": source.sha256,
        "approval": source.approval,
        "reviewers": source.reviewers,
        "dissent": source.dissent,
        "excluded_events": source.excluded,
        "outcome": source.outcome,
        "score": source.score,
        "check": source.check
        and {"command": source.check.command, "exit_code": source.check.exit_code},
        "rubric": source.rubric,
        "model": sample.model,
        "mode": start.mode,
        "speaker": start.speaker,
        "query": start.query,
        "batch": start.batch,
        "source": start.source,
        "license": license_name,
        **({"data": data} if (data := data_of(sample)) else {}),
        **({"consent": source.consent} if source.consent is not None else {}),
        "from": "rendered" if sample.rendered else "ids" if sample.ids else "text",
        "tokens": len(sample.ids) or None,
        "trained_tokens": sample.trained if sample.ids else None,
        "steps": [seq for _, seq in sample.keys],
    }
