"""The recorder: turns event data into lines with time, number and hash, and writes them."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from recordings.conversation.fork import copy_until
from recordings.errors import RecordingDamaged
from recordings.events import (
    BlobRef,
    Event,
    EventData,
    LiveDelta,
    LiveOutput,
    ModelDelta,
    Origin,
    Parent,
    ToolOutput,
)
from recordings.redaction.redactor import Redactor
from recordings.redaction.secrets import begins_secret, is_of_token
from recordings.storage import blobs
from recordings.storage.files import packed_path
from recordings.storage.lines import check_line, encode_event, parse_line
from recordings.storage.log import LOG, LogWriter
from recordings.trust.home_key import HomeKey
from recordings.trust.seal import SealWriter

PIECE = 0.1
"""Seconds of streamed text that a replay shows at once."""
COALESCE = 1.0
"""Seconds of streamed text that become one event: a shorter one is mostly envelope."""
TOKEN = 20.0
"""Seconds for which text that may be one secret token is not cut in two."""
LONGEST = 120.0
"""Most seconds of streamed text that become one event, whatever it contains."""
COALESCE_CHARS = 1 << 14
"""Characters of streamed text that become one event."""

_Key = tuple[int | str, ...]


class Recorder:
    """Writes one session's recording. Not for use from several threads at a time."""

    def __init__(
        self,
        folder: Path,
        session: str,
        log: LogWriter,
        *,
        seq: int = 0,
        prev: str = "",
        parent: Parent | None = None,
        redactor: Redactor | None = None,
        seal: SealWriter | None = None,
    ) -> None:
        self.folder = folder
        self.session = session
        self._log = log
        self._seal = seal
        self._seq = seq
        self._prev = prev
        self._parent = parent
        self._redactor = redactor
        self._pending: _Pending | None = None
        self._writes = True

    @classmethod
    def create(
        cls,
        folder: Path,
        session: str,
        parent: Parent | None = None,
        *,
        redactor: Redactor | None = None,
        key: HomeKey | None = None,
    ) -> Recorder:
        """Create a recording in an empty folder; what a redactor finds is never written.

        With a home key it is sealed as that home's own. Raises `RecordingFailed`.
        """
        seal = SealWriter.begin(folder, key) if key else None  # one sync for both names
        log = LogWriter.create(folder)
        return cls(folder, session, log, parent=parent, redactor=redactor, seal=seal)

    @classmethod
    def fork(
        cls,
        source: Path,
        at: int,
        folder: Path,
        session: str,
        *,
        redactor: Redactor | None = None,
        key: HomeKey | None = None,
    ) -> Recorder:
        """Create a recording that begins with another's events up to `at`, with their blobs.

        Its first own event names the parent; the chain continues, so the parent's part is pinned
        by hash. A key seals it: give one only where `source` is own or trusted, because its calls
        and paths then count as this home's own. Raises `RecordingNotFound`, `RecordingDamaged`,
        `RecordingTooNew`, `RecordingFailed`.
        """
        log = LogWriter.create(folder)
        try:
            parent = copy_until(source, at, folder, log)
            seal = SealWriter.begin(folder, key, parent.sha256) if key else None
        except BaseException:
            log.close()
            raise
        return cls(
            folder,
            session,
            log,
            seq=at + 1,
            prev=parent.sha256,
            parent=parent,
            redactor=redactor,
            seal=seal,
        )

    @classmethod
    def resume(
        cls, folder: Path, *, redactor: Redactor | None = None, key: HomeKey | None = None
    ) -> Recorder:
        """Continue a recording after its last whole line; a torn line is cut off.

        A packed recording is unpacked. A key seals it: give one only where the recording is own
        or trusted (`trust.origin`).

        Raises `RecordingInUse`, `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`,
        `RecordingFailed`.
        """
        if packed_path(folder / LOG).exists():
            from recordings.storage.pack import unpack  # slow to import, seldom needed

            unpack(folder)
        log, last = LogWriter.open(folder)
        try:
            sha256 = check_line(last.text) if last else None
            if last is None or sha256 is None:
                raise RecordingDamaged(f"The recording in {folder} is empty: start a new session.")
            parsed = parse_line(last.text)
            seal = SealWriter.begin(folder, key, sha256) if key else None
        except BaseException:
            log.close()
            raise
        return cls(
            folder,
            parsed["session"],
            log,
            seq=parsed["seq"] + 1,
            prev=sha256,
            redactor=redactor,
            seal=seal,
        )

    @property
    def head(self) -> str:
        """The sha256 of the last line, which pins all lines before it."""
        return self._prev

    def record(self, data: EventData, origin: Origin, *, sync: bool = True) -> Event:
        """Write an event. A durable one is on the disk on return, without `sync` with the next one.

        Return the event as it was written: with a redactor, without what it found. The caller
        sends and shows this instead of `data`, so that recording, model and screen are the same.
        Raises `RecordingFailed`.
        """
        if self._pending is not None:
            self.flush()
        return self._write(data, origin, time.time(), time.monotonic(), sync=sync)

    def stop(self) -> None:
        """Close the recording, and write nothing from here on: events are still made, for the
        model and the screen. Raises `RecordingFailed`.
        """
        self.close()
        self._writes = False

    def live(self, piece: LiveDelta | LiveOutput) -> None:
        """Add a piece of streamed text, to be written together with its neighbours.

        Raises `RecordingFailed`.
        """
        if not self._writes:
            return
        now = time.monotonic()
        pending = self._pending
        key = _key(piece)
        if pending is None or not pending.takes(key, piece.text, now):
            self.flush()
            pending = self._pending = _Pending(key, piece, now)
        pending.add(piece.text, now)

    def flush(self) -> None:
        """Write the pending streamed text. Raises `RecordingFailed`."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        data, origin = pending.event_data()
        wall = time.time() - (time.monotonic() - pending.mono)
        self._write(data, origin, wall, pending.mono)

    def put_blob(self, data: bytes, *, is_text: bool = True) -> BlobRef:
        """Write bytes as a blob; it is on the disk on return. Text has no secrets then.

        Raises `RecordingFailed`.
        """
        if self._redactor is not None and is_text:
            data = self._redactor.bytes(data)
        if not self._writes:
            return BlobRef(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        return blobs.put_blob(self.folder, data)

    def close(self) -> None:
        """Write what is pending and release the log. May be called twice.

        Raises `RecordingFailed`.
        """
        try:
            self.flush()
        finally:
            try:
                self._log.close()
            finally:
                if self._seal is not None:
                    self._seal.close(self._prev)

    def _write(
        self, data: EventData, origin: Origin, wall: float, mono: float, *, sync: bool = True
    ) -> Event:
        if self._redactor is not None:
            data = self._redactor.data(data)
        if not self._writes:
            self._seq += 1
            return Event(self.session, self._seq - 1, wall, mono, origin, data)
        event = Event(
            session=self.session,
            seq=self._seq,
            wall=round(wall, 6),
            mono=round(mono, 6),
            origin=origin,
            data=data,
            prev=self._prev,
            parent=self._parent,
        )
        line, sha256 = encode_event(event)
        if self._seal is not None:
            self._seal.advance(self._prev, sha256)
        self._log.append(line, durable=data.durable and sync)
        self._seq += 1
        self._prev = sha256
        self._parent = None
        return event


class _Pending:
    """Streamed text of one kind that is not written yet."""

    __slots__ = ("_chars", "_example", "_pieces", "_texts", "key", "mono")

    def __init__(self, key: _Key, example: LiveDelta | LiveOutput, now: float) -> None:
        self.key = key
        self.mono = now
        """When its first piece came: the time of the event."""
        self._example = example
        self._texts: list[str] = []
        self._chars = 0
        self._pieces: list[tuple[int, int]] = []

    def takes(self, key: _Key, text: str, now: float) -> bool:
        if key != self.key:
            return False
        age, chars = now - self.mono, self._chars
        if age < COALESCE and chars < COALESCE_CHARS:
            return True
        # A secret that is cut in two would not be found, and would stay.
        if chars >= 2 * COALESCE_CHARS or age >= LONGEST:
            return False
        last = self._texts[-1][-1:]
        between = text[:1].isspace() or last.isspace()
        within_token = is_of_token(text[:1]) and is_of_token(last)
        if not between and age < (TOKEN if within_token else 2 * COALESCE):
            return True
        return begins_secret("".join(self._texts))

    def add(self, text: str, now: float) -> None:
        after = round((now - self.mono) * 1000)
        if self._pieces and after - self._pieces[-1][0] < PIECE * 1000:
            began, chars = self._pieces[-1]
            self._pieces[-1] = (began, chars + len(text))
        else:
            self._pieces.append((after, len(text)))
        self._texts.append(text)
        self._chars += len(text)

    def event_data(self) -> tuple[EventData, Origin]:
        text, example = "".join(self._texts), self._example
        pieces = self._pieces if len(self._pieces) > 1 else []
        if isinstance(example, LiveOutput):
            return ToolOutput(call_id=example.call_id, text=text, pieces=pieces), "tool"
        delta = ModelDelta(
            step=example.step, kind=example.kind, index=example.index, text=text, pieces=pieces
        )
        return delta, "model"


def _key(piece: LiveDelta | LiveOutput) -> _Key:
    if isinstance(piece, LiveOutput):
        return (piece.call_id,)
    return (piece.step, piece.kind, piece.index)
