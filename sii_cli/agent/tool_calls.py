"""The tools' half of a step: permit and run the calls of a response, recorded as events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from recordings.conversation.outages import TOOL_INFRA
from recordings.errors import RecordingError
from recordings.events import (
    CallRequest,
    Event,
    Neutralised,
    Observation,
    Origin,
    Permission,
    PermissionAnswer,
    PermissionRequest,
    ToolCall,
    Truncation,
)
from sandbox.protocol import SandboxError, SandboxLost, SandboxUnavailable
from sii_cli.agent.event_channel import EventChannel
from sii_cli.agent.history import History
from sii_cli.agent.output_pieces import OutputPieces
from sii_cli.agent.permissions import Permit
from sii_cli.agent.round_control import UNOBSERVED, RoundObserver, RoundOver
from sii_cli.debug_log import logger
from sii_cli.model.control_tokens import NEUTRALISED, Neutralisation
from tools.base import ToolResult
from tools.toolbox import Toolbox

_LOG = logger(__name__)

SANDBOX_LOST = (
    "The sandbox died during this call ({detail}), and its state with it; the files in the "
    "workspace are kept. The call may have taken effect, wholly or in part. A new sandbox is "
    "started for the next call."
)
FAULT = (
    "{name} failed by a fault of its own, not of yours ({error}). The call may have taken effect, "
    "wholly or in part: look before you go on, and try another way."
)
MOST_CALLS = 128
"""The most calls of one step that are run."""
TOO_MANY = (
    "Not run: a message may make {most} calls, and this one made {made}. The first {most} were "
    "run; make the others in later messages, or do more in one call."
)
NOT_RUN = "Not run: the turn was stopped before this call."
INTERRUPTED = "The human interrupted this call after {seconds:.1f} s."
STOPPED = "This call was stopped after {seconds:.1f} s: the session was ended here."


class RecordedObservation(NamedTuple):
    """An observation, and the event that records it."""

    event: Event
    observation: Observation


class ToolCaller:
    """Runs calls, and makes observations of what they return."""

    def __init__(
        self,
        *,
        toolbox: Toolbox,
        channel: EventChannel,
        permit: Permit,
        on_sandbox_lost: Callable[[str], None],
        observer: RoundObserver = UNOBSERVED,
        neutralisation: Neutralisation = NEUTRALISED,
    ) -> None:
        self._neutralisation = neutralisation
        self._toolbox = toolbox
        self._channel = channel
        self._permit = permit
        self._on_sandbox_lost = on_sandbox_lost
        self._observer = observer
        self.stopped_by: Origin = "human"
        """Who stopped the calls, when they are cancelled."""

    def stop_by(self, by: Origin) -> None:
        """Note who stops the calls that are cancelled next."""
        self.stopped_by = by

    async def run(
        self, step: int, calls: Sequence[CallRequest], history: History
    ) -> list[Observation]:
        """Run a step's calls; return their observations, in the order of the calls.

        Every call gets an observation in the history, also when the round is interrupted, so that
        the history stays whole. Raises `RoundOver` when no sandbox is available.
        """
        observed: dict[int, RecordedObservation] = {}
        try:
            await self._observer.wait_until_safe()
            for group in self._groups(calls[:MOST_CALLS]):
                await self._run_group(step, group, observed)
            words = TOO_MANY.format(most=MOST_CALLS, made=len(calls))
            result = ToolResult(words, error="too_many_calls")
            self._observe_rest(step, calls, result, observed)
        except BaseException:
            result = ToolResult(NOT_RUN, error="not_run")
            self._observe_rest(step, calls, result, observed)
            raise
        finally:
            run = calls[:MOST_CALLS]
            changing = any(self._toolbox.may_change(call.name, call.arguments) for call in run)
            self._observer.calls_ended(step, may_change=changing)
            for call in calls:
                if call.index in observed:
                    history.add(observed[call.index].event)
        return [observed[call.index].observation for call in calls]

    def leave_observer(self) -> None:
        """Notify nobody of calls from here on."""
        self._observer = UNOBSERVED

    def _groups(self, calls: Sequence[CallRequest]) -> Iterator[list[CallRequest]]:
        """Yield groups: neighbouring calls that may run at the same time, and others alone."""
        for parallel, group in groupby(calls, key=lambda call: self._toolbox.parallel(call.name)):
            if parallel:
                yield list(group)
            else:
                yield from ([call] for call in group)

    async def _run_group(
        self, step: int, group: Sequence[CallRequest], observed: dict[int, RecordedObservation]
    ) -> None:
        """Run calls at the same time; return or raise when all of them have ended."""
        running = (self._run_one(step, call, observed) for call in group)
        for failed in await asyncio.gather(*running, return_exceptions=True):
            if failed is not None:
                raise failed

    async def _run_one(
        self, step: int, call: CallRequest, observed: dict[int, RecordedObservation]
    ) -> None:
        parsed = self._toolbox.parse(call.arguments)
        arguments = self._neutralisation.undo(call.arguments)
        runs = parsed if arguments == call.arguments else self._toolbox.parse(arguments)
        permission = await self._permission(step, call, runs)
        self._channel.note(
            ToolCall(
                step=step,
                call_id=call.call_id,
                index=call.index,
                name=call.name,
                arguments=call.arguments,
                parsed=parsed,
                approval=permission,
            ),
            "model",
        )
        started = time.monotonic()
        try:
            result = await self._result(call, arguments, permission)
        except asyncio.CancelledError:
            seconds = time.monotonic() - started
            words = INTERRUPTED if self.stopped_by == "human" else STOPPED
            result = ToolResult(words.format(seconds=seconds), error="interrupted")
            self._observe(step, call, result, seconds, observed)
            raise
        self._observe(step, call, result, time.monotonic() - started, observed)
        if result.error == "sandbox_unavailable":
            raise RoundOver("infra", result.text)

    async def _permission(
        self, step: int, call: CallRequest, runs: dict[str, Any] | None
    ) -> Permission:
        """Return whether the call may run; a human who is asked may take any time.

        `runs` are the arguments that the tool is to read.
        """
        decided = await self._permit(call.name, runs)
        if isinstance(decided, Permission):
            return decided
        request = PermissionRequest(
            step=step,
            call_id=call.call_id,
            name=call.name,
            about=list(decided.about),
            rule=decided.rule,
            mode=decided.mode,
        )
        self._channel.note(request, "harness")
        answer = await decided.answer(decided)
        rules = [str(one) for one in decided.grants] if answer.kind == "session" else []
        recorded = self._channel.note(
            PermissionAnswer(
                step=step,
                call_id=call.call_id,
                answer=answer.kind,
                words=answer.words,
                rules=rules,
                speaker=answer.speaker,
            ),
            "human",
        ).data
        assert isinstance(recorded, PermissionAnswer)
        return Permission(
            by="human",
            mode=decided.mode,
            allowed=answer.kind != "no",
            words=recorded.words,  # without secrets
            rule=decided.rule,
        )

    async def _result(
        self, call: CallRequest, arguments: str, permission: Permission
    ) -> ToolResult:
        if not permission.allowed:
            return ToolResult(_refusal(permission), error="rejected")
        output = OutputPieces(call.call_id, self._channel.live)
        try:
            return await self._toolbox.call(call.name, arguments, output.add)
        except SandboxLost as lost:
            self._on_sandbox_lost(str(lost))
            return ToolResult(SANDBOX_LOST.format(detail=lost), error="sandbox_lost")
        except SandboxUnavailable as unavailable:
            return ToolResult(str(unavailable), error="sandbox_unavailable")
        except SandboxError as error:
            return ToolResult(str(error), error="sandbox_error")
        except RecordingError:
            raise
        except Exception as error:
            _LOG.exception("the tool %.100s failed", call.name)
            what = f"{type(error).__name__}: {error}"
            return ToolResult(FAULT.format(name=call.name, error=what), error=TOOL_INFRA)

    def _observe_rest(
        self,
        step: int,
        calls: Sequence[CallRequest],
        result: ToolResult,
        observed: dict[int, RecordedObservation],
    ) -> None:
        """Record an observation for each call that was not run, all of them with one sync."""
        rest = [call for call in calls if call.index not in observed]
        for call in rest:
            self._observe(step, call, result, 0.0, observed, sync=call is rest[-1])

    def _observe(
        self,
        step: int,
        call: CallRequest,
        result: ToolResult,
        seconds: float,
        observed: dict[int, RecordedObservation],
        *,
        sync: bool = True,
    ) -> None:
        text, found = self._neutralisation.apply(result.text)
        cut = result.cut
        full = result.full
        if found and full is None:
            full = result.text.encode()
        observation = Observation(
            step=step,
            call_id=call.call_id,
            name=call.name,
            text=text,
            neutralised=[Neutralised(token=token, count=count) for token, count in found],
            error=result.error,
            exit_code=result.exit_code,
            seconds=round(seconds, 6),
            truncated=Truncation(bytes=cut.bytes, lines=cut.lines) if cut else None,
            full=self._channel.keep(full),
            raw=self._channel.keep(result.raw),
            changed=list(result.changed),
            details=result.details,
        )
        event = self._channel.note(observation, "tool", sync=sync)
        observed[call.index] = RecordedObservation(event, observation)


def _refusal(permission: Permission) -> str:
    """Return what the model reads of a call that may not run."""
    if permission.by != "human":
        return f"This call is not allowed. {permission.words or ''}".strip()
    said = f" They said: “{permission.words}”" if permission.words else ""
    return f"The human did not allow this call.{said}"
