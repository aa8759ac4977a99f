"""Outages: calls that failed because of the installation, not of the model or of what it asked for.

The search service is down, there is no network, a part of sii is broken: what a model does after
that says nothing about the model.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path

from recordings.errors import MALFORMED
from recordings.storage.lines import parse_line
from recordings.storage.log import head_of, read_lines

TOOL_INFRA = "tool_infra"
"""Kind of the error of such a call (`Observation.error`)."""
OF_THE_INSTALLATION = "it failed for a reason of the installation, not of the model"
_MARK = b'"error":"%s"' % TOOL_INFRA.encode()


def outages_of(folder: Path) -> Counter[str]:
    """Return how many calls of a recording hit an outage, by tool.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    found: Counter[str] = Counter()
    for line in read_lines(folder):
        if head_of(folder, line).type != "observation" or _MARK not in line.text:
            continue
        with suppress(*MALFORMED):  # readers of the whole event report it
            data = parse_line(line.text)["data"]
            if data["error"] == TOOL_INFRA:
                found[str(data["name"])] += 1
    return found
