"""Why a run of a batch starts no more sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StopReason = Literal["interrupted", "budget", "failure"]


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run stops before every attempt has ended."""

    reason: StopReason
    why: str
    """For the user: a part of a sentence."""


INTERRUPTED = Stop("interrupted", "interrupted")
