"""Feeds exported token ids to slime: `--rollout-function-path sii_rollout.generate_rollout`.

Stands alone: it is copied beside the data and imports nothing.
"""

from __future__ import annotations

from typing import Any


def generate_rollout(
    args: Any, rollout_id: int, data_source: Any, evaluation: bool = False
) -> list[list[Any]]:
    """Return one batch of groups, each sample filled with its ids and its mask.

    slime takes `tokens` whole, and `loss_mask` for the last `response_length` of them alone.
    Raises `ValueError` for a sample that could only train wrongly.
    """
    if evaluation:
        raise ValueError("there is nothing to generate: evaluate with another rollout function")
    groups: list[list[Any]] = data_source.get_samples(args.rollout_batch_size)
    for group in groups:
        for sample in group:
            _fill(sample)
    return groups


def _fill(sample: Any) -> None:
    metadata = sample.metadata
    ids, mask = metadata["input_ids"], metadata["loss_mask"]
    if len(ids) != len(mask):
        raise ValueError(f"{metadata['id']}: {len(ids)} ids, but a mask of {len(mask)}")
    if 1 not in mask:
        raise ValueError(f"{metadata['id']}: no id is trained; slime would train all of them")
    first = mask.index(1)
    if first == 0:
        raise ValueError(f"{metadata['id']}: the first id is trained, but nothing predicts it")
    sample.tokens = ids
    sample.response_length = len(ids) - first
    sample.loss_mask = mask[first:]
    sample.response = ""
    sample.reward = 0
    sample.status = type(sample.status).COMPLETED
