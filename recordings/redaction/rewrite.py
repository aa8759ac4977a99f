"""Redaction afterwards: scanning a recording for secrets, and removing them.

Changed events keep their place, with `‹redacted:NAME›` in it. The lines are chained again, and a
`redaction` event at the end has the old hash.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from recordings.conversation.messages import message_of
from recordings.errors import RecordingError
from recordings.events import (
    BlobRef,
    Event,
    EventData,
    ModelResponse,
    Observation,
    Redaction,
    SummaryResponse,
)
from recordings.index.index import remove_from_index
from recordings.redaction.redactor import Redactor, blank_prompt, texts_of
from recordings.redaction.secrets import Secret, SecretFinder
from recordings.reviews.keys import ReviewKeys
from recordings.storage.blobs import blob_folders, open_blob, put_blob, read_blob
from recordings.storage.files import PACKED, failure, packed_path
from recordings.storage.lines import encode_event
from recordings.storage.log import LOG, LogWriter, read_events, recording_hash
from recordings.storage.opening import OpenFolder
from recordings.storage.pack import unpack
from recordings.trust.home_key import HomeKey
from recordings.trust.seal import SEAL, SealWriter

_LARGEST = 64 << 20
"""Bytes of a blob that are scanned."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret in a recording, without its value."""

    seq: int
    secret: Secret
    in_blob: bool = False


def scan(folder: Path, finder: SecretFinder) -> Iterator[Finding]:
    """Yield the secrets of a recording. Raises what `read_events` raises."""
    known: dict[str, tuple[Secret, ...]] = {}  # by blob: many observations may name one
    for event in read_events(folder):
        for secret in finder.find("\n".join(texts_of(event.data))):
            yield Finding(event.seq, secret)
        for ref in event.data.blobs() if isinstance(event.data, Observation) else ():
            if ref.sha256 not in known:
                with open_blob(folder, ref) as file:
                    text = file.read(_LARGEST).decode("utf-8", "replace")
                known[ref.sha256] = tuple(finder.find(text))
            for secret in known[ref.sha256]:
                yield Finding(event.seq, secret, in_blob=True)


def redact(
    folder: Path,
    redactor: Redactor,
    *,
    by: str,
    key: HomeKey | None = None,
    keys: ReviewKeys | None = None,
) -> Redaction | None:
    """Remove secrets from a recording permanently; return `None` when there were none.

    A key seals the result: give one only where the recording is own or trusted. `keys` are the
    home's, with which its index was written.

    A packed recording is unpacked. The search index forgets its words. Approvals become void,
    because the recording's hash changes. Copies elsewhere, also forks, do not change.
    Raises `RecordingInUse`, `RecordingNotFound`, `RecordingDamaged`, `RecordingFailed`.
    """
    if packed_path(folder / LOG).exists():
        unpack(folder)
    log, _ = LogWriter.open(folder)
    try:
        rewriter = _Rewriter(folder, redactor, by, key, keys)
        note = rewriter.run()
        rewriter.remove_leftovers()
        return note
    except OSError as error:
        raise failure(folder, error) from error
    finally:
        log.close()


class _Rewriter:
    def __init__(
        self,
        folder: Path,
        redactor: Redactor,
        by: str,
        key: HomeKey | None,
        keys: ReviewKeys | None,
    ) -> None:
        self._folder = folder
        self._key = key
        self._keys = keys
        self._head = ""
        self._redactor = redactor
        self._by = by
        self._seqs: list[int] = []
        self._kept_blobs: set[str] = set()
        self._clean_blobs: dict[BlobRef, BlobRef] = {}
        """By blob: what stands for it."""
        self._tainted = 0
        """A prompt that keeps fewer ids than this has tokens of a changed message."""
        self._waiting = False
        """Whether a changed message was not yet in a prompt."""

    def run(self) -> Redaction | None:
        old = recording_hash(self._folder)
        temporary = f".{LOG}.{os.getpid()}"
        with OpenFolder(self._folder.parent, self._folder.name) as opened:
            opened.remove(temporary)  # left by a killed process with the same id
            try:
                last = self._write(opened.create(temporary), old)
                if last is None:
                    return None
                remove_from_index(
                    self._folder, self._keys
                )  # first, because words are found by the old text
                self._replace_log(opened, temporary, old)
            finally:
                opened.remove(temporary)
        return last

    def _replace_log(self, opened: OpenFolder, rewritten: str, old: str) -> None:
        """Replace the log by the rewritten one; the seal fits before and after."""
        seal = SealWriter.begin(self._folder, self._key, old) if self._key is not None else None
        try:
            if seal is not None:
                seal.advance(old, self._head)
            opened.rename(rewritten, LOG)
            opened.sync()
        finally:
            if seal is not None:
                seal.close(recording_hash(self._folder))

    def remove_leftovers(self) -> None:
        """Remove blobs that no event names any more, and files of killed processes.

        A redaction that was killed leaves the old blobs: the next one removes them.
        """
        for opened in blob_folders(self._folder):
            for name in opened.names():
                sha256 = opened.path.name + name.removesuffix(PACKED)
                if sha256 not in self._kept_blobs and opened.is_file(name):
                    opened.remove(name)
        with OpenFolder(self._folder.parent, self._folder.name) as opened:
            for name in opened.names():
                if name.startswith((f".{LOG}", f".{SEAL}.")) and opened.is_file(name):
                    opened.remove(name)

    def _write(self, fd: int, old: str) -> Redaction | None:
        prev, event = "", None
        with open(fd, "wb") as file:
            for event in read_events(self._folder):
                line, prev = encode_event(replace(event, data=self._data(event), prev=prev))
                file.write(line + b"\n")
            if event is None or not self._seqs:
                return None
            names = sorted(self._redactor.names)
            note = Redaction(by=self._by, names=names, seqs=self._seqs, old_sha256=old)
            now = round(time.time(), 6), event.mono
            line, self._head = encode_event(
                Event(event.session, event.seq + 1, *now, "annotator", note, prev)
            )
            file.write(line + b"\n")
            file.flush()
            os.fdatasync(file.fileno())
        return note

    def _data(self, event: Event) -> EventData:
        data = self._redactor.data(self._with_clean_blobs(event.data))
        if data is not event.data and message_of(data) != message_of(event.data):
            self._waiting = True
        if isinstance(data, ModelResponse):
            data = self._with_clean_prompt(data)
        elif isinstance(data, SummaryResponse):
            data = self._with_clean_summary_prompt(data)
        if data != event.data:
            self._seqs.append(event.seq)
        return data

    def _with_clean_prompt(self, data: ModelResponse) -> ModelResponse:
        span = data.prompt_ids
        if span is None:
            return data
        if self._waiting:
            self._waiting = False
            self._tainted = span.keep + len(span.new)
        return blank_prompt(data) if span.keep < self._tainted else data

    def _with_clean_summary_prompt(self, data: SummaryResponse) -> SummaryResponse:
        """Blank a summary's prompt; later prompts do not extend it, so nothing else changes."""
        span = data.prompt_ids
        is_tainted = self._waiting or (span is not None and span.keep < self._tainted)
        return blank_prompt(data) if is_tainted else data

    def _with_clean_blobs(self, data: EventData) -> EventData:
        if not isinstance(data, Observation):
            self._kept_blobs.update(ref.sha256 for ref in data.blobs())  # numbers alone
            return data
        return data.model_copy(
            update={
                name: self._clean_blob(ref)
                for name, ref in (("full", data.full), ("raw", data.raw))
                if ref is not None
            }
        )

    def _clean_blob(self, ref: BlobRef) -> BlobRef:
        if ref not in self._clean_blobs:  # many observations may name one
            self._clean_blobs[ref] = self._clean_new_blob(ref)
        return self._clean_blobs[ref]

    def _clean_new_blob(self, ref: BlobRef) -> BlobRef:
        try:
            before = read_blob(self._folder, ref)
        except RecordingError:
            self._kept_blobs.add(ref.sha256)
            return ref  # lost or changed already: `verify` reports it
        after = self._redactor.bytes(before)
        if after == before:
            self._kept_blobs.add(ref.sha256)
            return ref
        clean = put_blob(self._folder, after)
        self._kept_blobs.add(clean.sha256)
        return clean
