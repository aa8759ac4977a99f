"""What a check of a backend found, before any sandbox is started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class BackendCheck:
    """What one check found."""

    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    remedy: str = ""
