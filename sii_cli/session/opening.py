"""Opens the recording that a session writes: a new one, or one that is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recordings.conversation.restore import Conversation, restore
from recordings.events import Consent, Mention
from recordings.recorder import Recorder
from recordings.storage.encoding import encode
from recordings.store.store import RecordingStore
from sii_cli.agent.context.compaction import ModelContext, ReviewSummary
from sii_cli.agent.loop import AgentLoop, OpenRound, RoundLimits
from sii_cli.agent.permissions import Permit
from sii_cli.agent.round_control import UNOBSERVED
from sii_cli.assembly import Mode, data_sets_of, make_key, make_redactor, system_prompt
from sii_cli.config.settings import Settings
from sii_cli.doctor.record import kept_check
from sii_cli.model.types import Model, ServedModel
from sii_cli.session.consent import consent_event
from sii_cli.session.context import make_context
from sii_cli.session.data_note import data_note
from sii_cli.session.events import QueryOrigin, model_change, session_resume, session_start
from sii_cli.session.mentions import mentions_of
from sii_cli.session.request_params import request_params
from sii_cli.session.resume import ResumedRecording, close_open_round, note_of, reopen
from sii_cli.session.sandbox_lease import SandboxLease
from sii_cli.session.wire import SessionWire, check_resumable, open_wire
from sii_cli.workspace.tracker import WorkspaceTracker
from tools.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class OpenRecording:
    """An open recording, and the loop that writes it."""

    folder: Path
    recorder: Recorder
    loop: AgentLoop
    left: OpenRound | None = None
    """The round that was left open, when it is continued."""


@dataclass(frozen=True, slots=True)
class RecordingOpener:
    """Opens the recordings of one session."""

    settings: Settings
    mode: Mode
    about: QueryOrigin
    model: Model
    toolbox: Toolbox
    lease: SandboxLease
    permit: Permit
    tracker: WorkspaceTracker | None
    review: ReviewSummary | None = None
    """Shows a summary to the human before it is used."""

    async def begin(self, served: ServedModel) -> OpenRecording:
        """Create a recording with the session's start. Raises `RecordingFailed`, `UsageError`."""
        context = await self.context(served)
        params = request_params(self.settings, served)
        prompt = system_prompt(self.settings)
        wire = await open_wire(served, self.model, params, prompt, self.toolbox.schemas)
        start = session_start(
            self.settings, self.mode, served, self.toolbox, self.about, prompt, wire.info
        )
        consent = consent_event(self.settings)
        session_id, folder = RecordingStore(self.settings.home / "recordings").create_folder()
        recorder = Recorder.create(
            folder, session_id, redactor=make_redactor(self.settings), key=make_key(self.settings)
        )
        try:
            loop = self._loop(recorder, params, context, wire, self.toolbox.schemas_json)
            loop.note(start, "harness")
            _note_consent(loop, consent)
            examined = kept_check(self.settings.home, served.base_url)
            if examined is not None:
                loop.note(examined, "harness")
            self._tell_data_sets(loop, {})
        except BaseException:
            recorder.close()
            raise
        return OpenRecording(folder, recorder, loop)

    async def resume(
        self,
        resumed: ResumedRecording,
        served: ServedModel,
        *,
        open_round: bool,
        keeps_waiting: bool,
    ) -> OpenRecording:
        """Continue a recording, with the tool list that the model read at its start.

        A round that was left open is continued if `open_round`, else closed (by the next message,
        where an annotator's calls must run first). Messages that wait go back to the user unless
        `keeps_waiting`. Raises `RecordingError`.
        """
        context = await self.context(served)
        consent = consent_event(self.settings)
        folder, runs_pending = resumed.folder, resumed.runs_pending
        key = make_key(self.settings) if resumed.is_own else None
        recorder = Recorder.resume(folder, redactor=make_redactor(self.settings), key=key)
        left = None
        try:
            restored = resumed.conversation()
            start, params = restored.start, request_params(self.settings, served)
            wire = await open_wire(served, self.model, params, start.system_prompt, start.tools)
            check_resumable(restored, wire)
            shares_ids = restored.shares_ids(served.name, wire.info)
            if not shares_ids:
                restored.forget_ids()
            loop = self._loop(
                recorder,
                params,
                context,
                wire,
                encode(start.tools),
                restored,
                other_model=self._is_other(restored, served, shares_ids=shares_ids),
            )
            loop.note(session_resume(self.settings, served, restored, wire.info), "harness")
            if self.settings.speaker != start.speaker:
                _note_consent(loop, consent)
            if not resumed.is_own:
                loop.inbox.leave_out()
            if open_round and restored.round_open:
                left = reopen(loop, restored, runs_pending=runs_pending)
            else:
                left = close_open_round(loop, restored, runs_pending=runs_pending)
                if not keeps_waiting:
                    loop.inbox.give_back()
            self._tell_data_sets(loop, restored.data_sets.known)
            for unreported in restored.unreported.all():
                loop.inbox.add_note(note_of(unreported))
            if self.tracker is not None and resumed.is_own:
                self.tracker.resume(restored.snapshots)
        except BaseException:
            recorder.close()
            raise
        return OpenRecording(folder, recorder, loop, left)

    async def change_model(
        self, before: AgentLoop, recorder: Recorder, served: ServedModel
    ) -> AgentLoop:
        """Return a loop that continues an open recording with the model of the settings.

        Raises `UsageError`, `RecordingError`; the loop `before` can be used further then.
        """
        context = await self.context(served)
        params = request_params(self.settings, served)
        start = restore(recorder.folder, 0).start
        wire = await open_wire(served, self.model, params, start.system_prompt, start.tools)
        recorder.flush()
        restored = restore(recorder.folder)
        check_resumable(restored, wire)
        if not restored.shares_ids(served.name, wire.info):
            restored.forget_ids()
        tools = encode(start.tools)
        loop = self._loop(recorder, params, context, wire, tools, restored, other_model=True)
        loop.take_over(before)
        loop.note(model_change(self.settings, served, wire.info), "human")
        return loop

    def _tell_data_sets(self, loop: AgentLoop, before: Mapping[str, str]) -> None:
        """Let the model read of its data sets, where `before` differs: those that it knows of."""
        if (note := data_note(data_sets_of(self.settings), before)) is not None:
            loop.inbox.add_note(note)

    async def context(self, served: ServedModel) -> ModelContext:
        """Return what is known of the context of a served model."""
        context = await make_context(self.settings, served, self.model)
        return replace(context, review=self.review, speaker=self.settings.speaker)

    def _is_other(self, restored: Conversation, served: ServedModel, *, shares_ids: bool) -> bool:
        """Return whether the next prompt is made for another model, or another way to think."""
        thinks_otherwise = restored.thinking != self.settings.enable_thinking
        return restored.model != served.name or thinks_otherwise or not shares_ids

    def _loop(
        self,
        recorder: Recorder,
        params: dict[str, Any],
        context: ModelContext,
        wire: SessionWire,
        tools: bytes,
        restored: Conversation | None = None,
        *,
        other_model: bool = False,
    ) -> AgentLoop:
        return AgentLoop(
            model=self.model,
            toolbox=self.toolbox,
            tools=tools,
            recorder=recorder,
            params=params,
            limits=RoundLimits(max_steps=self.settings.max_steps),
            permit=self.permit,
            on_sandbox_lost=self.lease.lost,
            check_sandbox=self.lease.check,
            setup=bool(self.settings.setup),
            observer=self.tracker or UNOBSERVED,
            context=context,
            restored=restored,
            prompts=wire.prompts,
            other_model=other_model,
            speaker=self.settings.speaker,
            mentions=self._mentions,
        )

    def _mentions(self, text: str) -> list[Mention]:
        """Return what a human names at the prompt, where `@` completes paths."""
        return mentions_of(text, self.settings.workspace) if self.mode == "interactive" else []


def _note_consent(loop: AgentLoop, consent: Consent | None) -> None:
    if consent is not None:
        loop.note(consent, "human" if consent.asked else "harness")
