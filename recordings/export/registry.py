"""The export targets by name: the one place where an export is added.

A target is a module of this package with a `TARGET`, which is imported when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recordings.export.target import ExportTarget

TARGETS = {
    "tokens": "ids, mask and spans: exact, for any trainer that takes token ids",
    "slime": "ids and mask for slime, with the rollout function that feeds them",
    "slime_messages": "messages with step_loss_mask for slime's own masks",
    "messages": "prompt and completion messages for TRL",
    "openai": "messages with weights for OpenAI's fine-tuning",
    "sharegpt": "conversations for LLaMA-Factory",
    "swift": "messages with loss for ms-swift",
    "verl": "parquet messages for verl's multi-turn SFT",
    "atif": "documents in the Agent Trajectory Interchange Format",
    "preference": "pairs of a better and a worse: messages for TRL, ids and masks for any",
}
"""Name of each target, which is also its module's, and its purpose."""


def find_target(name: str) -> ExportTarget[Any]:
    """Import a target by its name."""
    target: ExportTarget[Any] = import_module(f"recordings.export.{name}").TARGET
    return target
