"""The recording of a session: opened with its first message, left, resumed and ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from recordings.events import Event, EventData, Origin, ParkedStatus
from recordings.recorder import Recorder
from sii_cli.agent.loop import AgentLoop, OpenRound
from sii_cli.config.settings import Settings
from sii_cli.errors import UsageError
from sii_cli.model.types import ServedModel
from sii_cli.session.consent import consent_event
from sii_cli.session.events import OFF, session_end
from sii_cli.session.fits import check_fits
from sii_cli.session.opening import RecordingOpener
from sii_cli.session.resume import ResumedRecording
from sii_cli.workspace.notes import changed_note
from sii_cli.workspace.tracker import WorkspaceTracker


class RecordedSession:
    """What a session has of its recording; `Session` runs its rounds."""

    def __init__(
        self,
        opener: RecordingOpener,
        resumed: ResumedRecording | None,
        served: Callable[[], Awaitable[ServedModel]],
    ) -> None:
        """`served` returns what the server serves; `resumed` is a recording to continue."""
        self.folder = resumed.folder if resumed else None
        self.id = self.folder.name if self.folder else None
        self.is_off = False
        """Whether the recording was ended, or ends after the running step."""
        self._parked: ParkedStatus | None = None
        """How the recording ends, where the session is continued later."""
        self._resumed = resumed
        self._opener = opener
        self._lease, self._tracker = opener.lease, opener.tracker
        self._get_served = served
        self._recorder: Recorder | None = None
        self._left_trackers: list[WorkspaceTracker] = []
        """Trackers that the session does not use any more."""
        self._loop: AgentLoop | None = None
        self._left: OpenRound | None = None
        """The round that a resumed session left open, with calls that are to be run."""

    @property
    def resumable(self) -> ResumedRecording | None:
        """The recording as it is to be resumed, no more trusted than it was; `None` before there
        is one."""
        if self._resumed is None and self.folder is not None:
            return ResumedRecording(self.folder)
        return self._resumed

    async def end_recording(self) -> None:
        """End the recording after the running step; the session goes on, and what follows of it is
        never written. Raises `UsageError` before the first message, and as `send` does.
        """
        if self.is_off:
            return
        if self._loop is None and self._resumed is None:
            raise UsageError(
                "Nothing is recorded yet. The first message begins a recording; give /off after it."
            )
        loop = self._loop or await self._open_recording()
        self.is_off = True
        await loop.end_recording(lambda: self._last_event(loop))

    def _last_event(self, loop: AgentLoop) -> EventData:
        """Return the end of a recording that is switched off; snapshots end with it, too."""
        self._tracker, tracker = None, self._tracker
        if tracker is not None:
            tracker.report_to(None)
            self._left_trackers.append(tracker)
        return session_end(loop, OFF)

    async def change_speaker(self, settings: Settings) -> None:
        """Continue with the speaker of other settings, between rounds.

        The answer to the question for consent is recorded where there is a recording. Raises
        `ConsentsUnusable`, `RecordingFailed`.
        """
        consent = consent_event(settings)
        self._opener = replace(self._opener, settings=settings)
        if self._loop is not None:
            self._loop.inbox.speaker = self._loop.context.speaker = settings.speaker
            if consent is not None and not self.is_off:
                self._loop.note(consent, "human" if consent.asked else "harness")

    @property
    def settings(self) -> Settings:
        """Those in force."""
        return self._opener.settings

    async def check_fits(self, text: str) -> None:
        """Raise `MessageTooLong` when a message alone does not fit; also what `send` raises."""
        loop = self._loop
        context = loop.context.context if loop else None
        await check_fits(text, context or await self._opener.context(await self._get_served()))

    def note(self, data: EventData, origin: Origin) -> None:
        """Record an event of the session, whose first message was sent."""
        assert self._loop is not None, "a recording begins with the first message"
        self._loop.note(data, origin)

    def _report(self, data: EventData) -> Event:
        """Record what happens to the sandbox and the workspace."""
        assert self._loop is not None, "nothing is reported once the recording is left"
        return self._loop.note(data, "harness")

    def park(self) -> None:
        """Let the recording end as that of a session that waits for a person's reply."""
        self._parked = "parked"

    def suspend(self) -> None:
        """Leave the running round open at the end of the running step: a resumed session continues
        it (`resume_round`).
        """
        self._parked = "replied"
        if self._loop is not None:
            self._loop.suspends = True

    @property
    def is_suspended(self) -> bool:
        """Whether the session is, or will be, continued by another process."""
        return self._parked == "replied"

    def _end_recording(self) -> None:
        if self._loop is None:
            return
        try:
            if not self.is_off:
                self._loop.note(session_end(self._loop, parked=self._parked), "harness")
        finally:
            self._leave_recording()

    def _leave_recording(self) -> None:
        """Close the recording; the next message resumes it."""
        self._lease.report_to(None)
        if self._tracker is not None:
            self._tracker.report_to(None)
        self._loop = None
        self._resumed = self.resumable
        if self._recorder is not None:
            self._recorder.close()

    async def _open_recording(
        self, *, open_round: bool = False, keeps_waiting: bool = False
    ) -> AgentLoop:
        """Begin the recording, or resume it. Raises `UsageError` when it was ended."""
        if self.is_off:
            raise UsageError("This session is not recorded any more and has ended: `/new`.")
        served = await self._get_served()
        if self._resumed is None:
            opened = await self._opener.begin(served)
        else:
            opened = await self._opener.resume(
                self._resumed, served, open_round=open_round, keeps_waiting=keeps_waiting
            )
            self._left = opened.left
        loop = self._loop = opened.loop
        loop.suspends = self.is_suspended
        self._recorder = opened.recorder
        self.id, self.folder = opened.folder.name, opened.folder
        self._lease.report_to(self._report)
        if self._tracker is not None:
            self._tracker.report_to(self._report)
            if self._resumed is not None:
                await self._look_for_changes(loop)
        return loop

    async def _look_for_changes(self, loop: AgentLoop) -> None:
        """Find out what changed in the workspace since its last snapshot."""
        if self._tracker is not None and self._tracker.kept:
            event = await self._tracker.take_snapshot("resume", loop.steps)
            if event is not None:
                loop.inbox.add_note(changed_note(event))
