"""The output of what runs, decoded piece by piece to be shown."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from recordings.events import LiveOutput

LIVE_OUTPUT_LIMIT = 64 << 10
"""Bytes of one call's output that are streamed to the screen; the observation has the rest."""


class OutputPieces:
    """Shows output as it arrives, up to a limit."""

    def __init__(self, call_id: str, show: Callable[[LiveOutput], None]) -> None:
        self._call_id = call_id
        self._show = show
        self._room = LIVE_OUTPUT_LIMIT
        self._decode = codecs.getincrementaldecoder("utf-8")("backslashreplace").decode

    def add(self, output: bytes) -> None:
        """Show the next bytes."""
        if self._room <= 0:
            return
        text = self._decode(output[: self._room])
        self._room -= len(output)
        if text:
            self._show(LiveOutput(self._call_id, text))
