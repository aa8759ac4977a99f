"""Verifying a recording: every line, the chain, the blobs, the token ids and the sent messages.

Reads one line at a time; needs only the recording's folder.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recordings.conversation.ids import CallIds, check_keep, take_ids
from recordings.conversation.logprobs import SIZE
from recordings.conversation.messages import (
    chain_message,
    encode_message,
    instruction_message,
    message_of,
)
from recordings.errors import RecordingDamaged, RecordingError, RecordingNotFound
from recordings.events import (
    AttachedFile,
    BlobRef,
    Event,
    Flag,
    HarnessMessage,
    IdSpan,
    MessageSpan,
    ModelRequest,
    ModelResponse,
    Observation,
    RawGeneration,
    Redaction,
    SessionStart,
    Stub,
    SummaryEdit,
    SummaryRequest,
    SummaryResponse,
    UserMessage,
)
from recordings.flags import describe_flags
from recordings.storage.blobs import open_blob, stored_blobs
from recordings.storage.lines import check_line, decode_event, follows, parse_line, read_head
from recordings.storage.log import Line, is_locked, open_log, read_lines

_CHECKED = {
    SessionStart.type,
    UserMessage.type,
    HarnessMessage.type,
    AttachedFile.type,
    ModelRequest.type,
    ModelResponse.type,
    RawGeneration.type,
    Observation.type,
    Redaction.type,
    Stub.type,
    SummaryEdit.type,
    SummaryRequest.type,
    SummaryResponse.type,
}
"""Events whose content is checked; of the others the line's checksum is enough."""
_UNPROVEN = "the request's messages are not those that were sent (`messages_sha256`)"
_CHUNK = 1 << 18
_MOST_PROBLEMS = 1000
_AGAIN = 1 << 28
_TIMES_AGAIN = 100
"""Messages that were sent before are read again: so many bytes, and so many times the log's."""
_ONE_AGAIN = 1 << 15
"""Bytes that a message counts at least: it is sought, and perhaps unpacked."""
_STEPS_TOLD = 10
"""Most steps that a note on a flag names."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and its place."""

    what: str
    line: int | None = None
    """From 1; `None` when it is not in the log."""
    offset: int | None = None
    """Of the line's first byte."""


@dataclass(slots=True)
class Verification:
    """The result."""

    lines: int = 0
    bytes: int = 0
    """Size of the log and of the blobs, as they were read."""
    blobs: int = 0
    ids: int = 0
    """Token ids that were compared with the server's counts."""
    requests: int = 0
    """Requests whose messages were rebuilt and equal those that were sent."""
    head: str = ""
    """sha256 of the last whole line: the recording's hash."""
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is unusual, but not damage."""

    @property
    def whole(self) -> bool:
        """Whether no problem was found."""
        return not self.problems


def verify(folder: Path) -> Verification:
    """Verify a recording. Raises `RecordingNotFound`; all else is a problem in the result."""
    verifier = _Verifier(folder)
    try:
        for line in read_lines(folder):
            verifier.line(line)
            if len(verifier.result.problems) >= _MOST_PROBLEMS:
                raise RecordingDamaged(f"nothing was checked beyond line {line.number}")
    except (RecordingDamaged, OSError) as error:
        verifier.problem(str(error), None)
    verifier.end()
    return verifier.result


class _Verifier:
    def __init__(self, folder: Path) -> None:
        self.result = Verification()
        self._folder = folder
        self._blobs: set[str] = set()
        self._id_count = 0
        """How many ids the last call with ids has."""
        self._unsent: dict[int, bytes] = {}
        """Messages that no request has sent yet, by event."""
        self._places: dict[int, int] = {}
        """Offsets of the lines of all messages, by event."""
        self._sent: list[str] = []
        """Rolling hash after each message of the last request."""
        self._unproven: list[tuple[int, Line]] = []
        """Requests, by event, whose messages are not those that were sent."""
        self._end = 0
        self._again = 0
        """Bytes that were read again."""
        self._flagged: defaultdict[int, dict[Flag, None]] = defaultdict(dict)
        """Flags of each step."""

    def problem(self, what: str, line: Line | None) -> None:
        place = (line.number, line.offset) if line else (None, None)
        self.result.problems.append(Problem(what, *place))

    def line(self, line: Line) -> None:
        result = self.result
        seq, result.lines = result.lines, result.lines + 1
        self._end = line.offset + len(line.text) + 1
        before, result.head = result.head, check_line(line.text) or ""
        if not result.head:
            self.problem("the line is not what was written (its checksum does not hold)", line)
            result.head = hashlib.sha256(line.text).hexdigest()
        if not follows(line.text, before):
            self.problem("the chain is broken: `prev` is not the hash of the line before", line)
        try:
            head = read_head(line.text)
        except RecordingError as error:
            return self.problem(str(error), line)
        if head.seq != seq:
            self.problem(f"the sequence number is not {seq}", line)
        if head.type in _CHECKED:
            self._event(line)
        return None

    def end(self) -> None:
        """Check everything but the lines."""
        result = self.result
        for _, line in self._unproven:
            self.problem(_UNPROVEN, line)
        try:
            with open_log(self._folder) as file:
                result.bytes += (size := file.seek(0, 2))
        except (RecordingNotFound, RecordingDamaged):
            size = self._end
        # A line that a writer has not finished is not torn.
        if size > self._end and not result.problems and not is_locked(self._folder):
            self.problem(f"{size - self._end} bytes of a torn last line", None)
        if not result.lines:
            self.problem("it has no whole line", None)
        result.notes += _flag_notes(self._flagged)
        try:
            loose = sum(sha256 not in self._blobs for sha256 in stored_blobs(self._folder))
        except OSError as error:
            self.problem(str(error), None)
            return
        if loose:
            result.notes.append(f"{loose} blobs that no event names (kept just before a crash)")

    def _event(self, line: Line) -> None:
        try:
            event, ids = _decode(line)
        except RecordingError as error:
            return self.problem(str(error), line)
        message = message_of(event.data)
        if message is not None:
            self._unsent[event.seq] = encode_message(message)
            self._places[event.seq] = line.offset
        for what in self._checks(event, ids):
            if what == _UNPROVEN:
                self._unproven.append((event.seq, line._replace(text=b"")))
            else:
                self.problem(what, line)
        return None

    def _checks(self, event: Event, ids: CallIds) -> Iterator[str]:
        for ref in event.data.blobs():
            yield from self._blob(ref)
        match event.data:
            case RawGeneration(step=step, flags=flags):
                self._flagged[step] |= dict.fromkeys(flags)
            case ModelResponse() as response:
                self._flagged[response.step] |= dict.fromkeys(response.flags)
                if ids.prompt is not None:
                    yield from self._ids(response, ids.prompt, ids.generated)
                    self._id_count = _prompt_size(ids.prompt) + len(ids.generated or ())
            case SummaryResponse() as response if ids.prompt is not None:
                yield from self._ids(response, ids.prompt, ids.generated)
            case ModelRequest() as request:
                yield from self._request(request)
            case SummaryRequest() as request:
                yield from self._summary_request(request)
            case Redaction(seqs=seqs):
                self._redacted(min(seqs, default=event.seq))

    def _blob(self, ref: BlobRef) -> Iterator[str]:
        if ref.sha256 in self._blobs:
            return
        self._blobs.add(ref.sha256)
        self.result.blobs += 1
        try:
            with open_blob(self._folder, ref) as file:
                digest, size = hashlib.sha256(), 0
                # Not beyond its size: the file there may have no end.
                while size <= ref.size and (chunk := file.read(_CHUNK)):
                    digest.update(chunk)
                    size += len(chunk)
        except (RecordingError, OSError) as error:
            yield str(error)
            return
        self.result.bytes += size
        if size > ref.size:
            yield f"the blob {ref.sha256} has more than {ref.size} bytes"
        elif digest.hexdigest() != ref.sha256:
            yield f"the blob {ref.sha256} is not what was written"
        elif size != ref.size:
            yield f"the blob {ref.sha256} has {size} bytes, not {ref.size}"

    def _ids(
        self,
        response: ModelResponse | SummaryResponse,
        span: IdSpan,
        generated: list[int] | None,
    ) -> Iterator[str]:
        prompt, usage = _prompt_size(span), response.usage
        try:
            check_keep(span, self._id_count)
        except ValueError as error:
            yield str(error)
        self.result.ids += len(span.new) + len(generated or ())
        if response.logprobs is not None:
            numbers, count = response.logprobs.values.size / SIZE, len(generated or ())
            if numbers != count:
                yield f"{numbers:g} log probabilities for {count} generated ids"
        if usage is None or "ids_count_differs" in response.flags:
            return
        if prompt != usage.prompt_tokens and "prompt_ids_count_differs" not in response.flags:
            yield f"{prompt} prompt ids, but the server counted {usage.prompt_tokens}"
        if generated is not None and len(generated) != usage.completion_tokens:
            counted = usage.completion_tokens
            yield f"{len(generated)} generated ids, but the server counted {counted}"

    def _request(self, request: ModelRequest) -> Iterator[str]:
        span, sent = request.messages, self._sent
        if not self._is_there(span):
            yield "the request names messages that are not there"
            return
        del sent[span.keep :]
        for seq in span.new:
            sent.append(chain_message(sent[-1] if sent else "", self._message(seq)))
        self.result.requests += 1
        if (sent[-1] if sent else "") != request.messages_sha256:
            yield _UNPROVEN

    def _summary_request(self, request: SummaryRequest) -> Iterator[str]:
        span = request.messages
        if not self._is_there(span):
            yield "the request names messages that are not there"
            return
        sha256 = self._sent[span.keep - 1] if span.keep else ""
        for seq in span.new:
            sha256 = chain_message(sha256, self._message(seq, keep=True))
        self.result.requests += 1
        asked = encode_message(instruction_message(request))
        if chain_message(sha256, asked) != request.messages_sha256:
            yield _UNPROVEN

    def _is_there(self, span: MessageSpan) -> bool:
        return span.keep <= len(self._sent) and all(seq in self._places for seq in span.new)

    def _redacted(self, first: int) -> None:
        """After a redaction, what was sent since the first changed event cannot be proven."""
        before = [unproven for unproven in self._unproven if unproven[0] < first]
        count = len(self._unproven) - len(before)
        self.result.requests -= count
        self.result.notes.append(f"redacted: what {count} requests sent cannot be proven any more")
        self._unproven = before

    def _message(self, seq: int, *, keep: bool = False) -> bytes:
        """Return an event's message; one that was sent before is read again, to save memory."""
        unsent = self._unsent.get(seq) if keep else self._unsent.pop(seq, None)
        if unsent is not None:
            return unsent
        line = next(read_lines(self._folder, offset=self._places[seq]))
        self._again += max(len(line.text), _ONE_AGAIN)
        if self._again > _AGAIN + _TIMES_AGAIN * self._end:
            raise RecordingDamaged(
                "its requests send what was sent before far more often than any session does"
            )
        return encode_message(message_of(_decode(line)[0].data) or {})


def _flag_notes(flagged: Mapping[int, Iterable[Flag]]) -> Iterator[str]:
    """Say for every flag which steps have it."""
    steps: defaultdict[Flag, list[int]] = defaultdict(list)
    for step, flags in flagged.items():
        for flag in flags:
            steps[flag].append(step)
    for flag, found in steps.items():
        first = ", ".join(map(str, found[:_STEPS_TOLD]))
        more = f" and {len(found) - _STEPS_TOLD} more" if len(found) > _STEPS_TOLD else ""
        yield f"flagged {flag} ({describe_flags([flag])}): step {first}{more}"


def _prompt_size(span: IdSpan) -> int:
    return span.keep + len(span.new)


def _decode(line: Line) -> tuple[Event, CallIds]:
    """Return a line's event without its token ids, which are many. Raises `RecordingError`."""
    parsed = parse_line(line.text)
    ids = take_ids(parsed)
    return decode_event(parsed), ids


def describe(problem: Problem) -> str:
    """Describe a problem in one line of text."""
    place = f"line {problem.line} (byte {problem.offset}): " if problem.line is not None else ""
    return f"{place}{problem.what}"
