"""The settings of a pinned plan that hold when its batch is resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sii_cli.batch.plan.plan import UNPINNED, BatchPlan
from sii_cli.config.settings import SETTING_FIELDS, Settings
from sii_cli.config.values import PLACES

STRICTER = {field.name: field.metadata["stricter"] for field in SETTING_FIELDS}


@dataclass(frozen=True, slots=True)
class PinnedSettings:
    """Pinned settings by name, without those that a flag replaces."""

    values: Mapping[str, Any]

    @classmethod
    def of(cls, plan: BatchPlan, flags: Mapping[str, Any]) -> PinnedSettings:
        """Return the pinned settings that hold where no flag is given."""
        return cls(
            {
                name: value
                for name, value in plan.settings.items()
                if "flag" in PLACES.get(name, ())
                and name not in UNPINNED
                and flags.get(name) is None
            }
        )

    def with_flags(self, flags: Mapping[str, Any]) -> dict[str, Any]:
        """Return them together with what the command line says."""
        return {**flags, **self.values}

    def unset_in(self, settings: Settings) -> Settings:
        """Return settings without those that were not set when the batch was begun.

        A flag cannot say "not set", so the environment or a file may have set them since.
        """
        unset: dict[str, Any] = {name: None for name, one in self.values.items() if one is None}
        return replace(settings, **unset)

    def lowered_to(self, own: Settings) -> PinnedSettings:
        """Return them with limits and tools that are at most the user's own."""
        mine = own.without_secrets()
        values = {name: _lowered(name, value, mine[name]) for name, value in self.values.items()}
        if set(values.get("env") or ()) <= set(mine["env"]):  # the user's own have values
            values = {name: value for name, value in values.items() if name != "env"}
        return PinnedSettings(values)

    def canonical(self) -> str:
        """Return them as one text, the same for the same settings."""
        return json.dumps(self.values, sort_keys=True, default=str)


NOTHING_PINNED = PinnedSettings({})


def _lowered(name: str, value: Any, mine: Any) -> Any:
    match STRICTER[name]:
        case "lower" if isinstance(value, int | float):
            return value if mine is None else min(value, mine)
        case "fewer" if isinstance(value, list):
            return [one for one in value if one in mine] or mine
        case "on":
            return bool(value or mine)
        case None:
            return value
        case _:
            return mine
