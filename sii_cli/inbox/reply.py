"""What a person says of a parked session, written into its recording before it is acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recordings.conversation.parking import Parking, parking_of
from recordings.conversation.restore import Conversation, restore
from recordings.errors import RecordingInUse
from recordings.events import (
    PendingMessage,
    QueryOutcome,
    SessionEnd,
    SessionResume,
    SessionStatus,
)
from recordings.recorder import Recorder
from recordings.store.collection import home_of
from sii_cli import __version__
from sii_cli.assembly import make_redactor
from sii_cli.batch.plan.plan import workspace_name
from sii_cli.batch.sessions.session_parts import WORKSPACES
from sii_cli.config.home_key import require_proved, writing_key
from sii_cli.config.settings import Settings
from sii_cli.errors import SiiError, UsageError
from sii_cli.queries.workspaces.copies import remove_workspace
from sii_cli.session.consent import consent_event
from sii_cli.session.sign_off import SignOff, speaker_of

LONGEST_REPLY = 1_000_000
"""Characters."""


class NotWaiting(SiiError):
    """Raised when a session waits for no reply: another person has answered it."""


def record_reply(folder: Path, text: str, settings: Settings, sha256: str | None = None) -> None:
    """Record a reply of the `speaker` of the settings; it is on the disk on return. Blocks.

    `sha256`: the hash of the recording as the person has read it. The session continues with
    it (`continue_parked`), in this process or in another. Raises `NotWaiting`, `SiiError`,
    `UsageError`, `RecordingError`.
    """
    speaker = speaker_of(settings)
    if not text.strip():
        raise UsageError("The reply is empty: say what is to be done.")
    if len(text) > LONGEST_REPLY:
        raise UsageError(f"A reply has at most {LONGEST_REPLY:,} characters: say it in fewer.")
    with _continued(folder, settings, sha256) as (recorder, past, parking):
        consent = consent_event(settings)
        if consent is not None and speaker not in parking.asked:
            recorder.record(consent, "human" if consent.asked else "harness")
        message = PendingMessage(text=text.strip("\n"), delivery="queued", speaker=speaker)
        recorder.record(message, "human")
        recorder.record(_end(past, parking, "replied"), "harness")


def record_done(
    folder: Path, done: bool, words: str, settings: Settings, sha256: str | None = None
) -> QueryOutcome:
    """Record that the task is done, or that it is not and is left: the session has its outcome.

    The person's verdict is a review of the role `practitioner`. Raises as `record_reply` does.
    Blocks.
    """
    speaker_of(settings)
    with _continued(folder, settings, sha256) as (recorder, past, parking):
        SignOff(settings, folder).end_task(done, words)
        outcome = QueryOutcome.model_validate(parking.parked.model_dump())
        recorder.record(outcome, "harness")
        recorder.record(_end(past, parking, "done"), "harness")
    remove_workspace(home_of(folder) / WORKSPACES / workspace_name(parking.start.workspace))
    return outcome


@contextmanager
def _continued(
    folder: Path, settings: Settings, sha256: str | None
) -> Iterator[tuple[Recorder, Conversation, Parking]]:
    """Continue the recording of a session that waits, while nobody else can."""
    require_proved(folder)
    try:
        recorder = Recorder.resume(
            folder, redactor=make_redactor(settings), key=writing_key(folder)
        )
    except RecordingInUse:
        raise NotWaiting(f"{folder.name} is being continued: somebody has answered it.") from None
    try:
        parking = parking_of(folder)
        if parking is None:
            raise NotWaiting(f"{folder.name} waits for no reply: `sii inbox` lists what does.")
        if parking.stage != "waits" or sha256 not in (None, recorder.head):
            who = f"{parking.speaker} has" if parking.speaker else "another person has"
            raise NotWaiting(f"{folder.name} does not wait any more: {who} answered it.")
        past = restore(folder)
        resume = SessionResume(
            sii_version=__version__,
            model=past.model,
            base_url=past.start.base_url,
            settings={
                "workspace": past.workspace,
                "speaker": settings.speaker,
                "enable_thinking": past.thinking,
            },
            wire=past.wire,
        )
        recorder.record(resume, "harness")
        yield recorder, past, parking
    finally:
        recorder.close()


def _end(past: Conversation, parking: Parking, status: SessionStatus) -> SessionEnd:
    return SessionEnd(
        status=status,
        rounds=past.rounds,
        steps=past.steps,
        usage=past.usage,
        breaks=parking.end.breaks if parking.end is not None else {},
    )
