"""Made-up but consistent sessions: requests hash to their messages, ids count, blobs are kept."""

import random
from collections.abc import Callable
from pathlib import Path

from recordings.conversation.ids import IdTrail
from recordings.conversation.messages import chain_message, encode_message, message_of
from recordings.events import (
    CallRequest,
    Event,
    EventData,
    HarnessMessage,
    LiveDelta,
    LiveOutput,
    MessageSpan,
    ModelRequest,
    ModelResponse,
    Observation,
    Origin,
    Parent,
    Permission,
    RoundEnd,
    SessionEnd,
    SessionStart,
    ToolCall,
    Usage,
    UserMessage,
)
from recordings.recorder import Recorder
from recordings.storage.log import read_events
from recordings.trust.home_key import HomeKey

WORDS = [
    "parse",
    "ledger",
    "split",
    "cents",
    "test",
    "failure",
    "module",
    "import",
    "value",
    "line",
]


def session_start(**changes: object) -> SessionStart:
    fields = {
        "sii_version": "0",
        "mode": "headless",
        "workspace": "/w",
        "model": "GLM",
        "base_url": "http://m",
        "system_prompt": "You are an agent.",
        "tools": [],
        "tools_sha256": "",
    }
    return SessionStart.model_validate(fields | changes)


def parent_of(folder: Path) -> Parent | None:
    """Where a recording was forked from."""
    parents = [event.parent for event in read_events(folder) if event.parent is not None]
    return parents[-1] if parents else None


class FakeSession:
    """Records what the loop would, with texts of its own."""

    def __init__(self, recorder: Recorder, *, seed: int = 0, words: int = 20) -> None:
        self.recorder = recorder
        self.sent: list[str] = []
        """Rolling hash of the messages of each request."""
        self._random = random.Random(seed)
        self._words = words
        self._new: list[int] = []
        self._keep = 0
        self._sha256 = ""
        self._trail = IdTrail()
        self._prompt: list[int] = []
        self.rounds = 0
        self.steps = 0

    def note(self, data: EventData, origin: Origin, *, tell: bool = True) -> Event:
        event = self.recorder.record(data, origin)
        if tell:
            self.tell(event)
        return event

    def tell(self, event: Event) -> None:
        """Add an event's message to what the next request sends."""
        message = message_of(event.data)
        if message is not None:
            self._new.append(event.seq)
            self._sha256 = chain_message(self._sha256, encode_message(message))

    def text(self, words: int | None = None) -> str:
        return " ".join(self._random.choices(WORDS, k=words or self._words))

    def round(self, steps: int, message: str | None = None) -> None:
        self.rounds += 1
        self.note(UserMessage(round=self.rounds, text=message or self.text()), "human")
        for _ in range(steps - 1):
            self.step(calls=self._random.randint(1, 3))
        self.step(calls=0)
        self.note(RoundEnd(round=self.rounds, status="answered", steps=steps), "harness")

    def step(self, calls: int, error: str | None = None) -> None:
        self.request()
        response = self.response(calls)
        observed: list[tuple[int, Event]] = []
        for call in self._random.sample(response.calls, len(response.calls)):
            self.call(call)
            observed.append((call.index, self.observe(call, error=error)))
        for _, event in sorted(observed, key=lambda pair: pair[0]):
            self.tell(event)
        if self._random.random() < 0.1:
            self.note(HarnessMessage(reason="repetition", text="Try something else."), "harness")

    def request(self) -> None:
        self.steps += 1
        span = MessageSpan(keep=self._keep, new=self._new)
        self._keep, self._new = self._keep + len(self._new), []
        self.sent.append(self._sha256)
        self.recorder.record(
            ModelRequest(
                step=self.steps,
                attempt=1,
                request_id=f"sii-{self.steps}",
                messages=span,
                messages_sha256=self._sha256,
                params={"model": "GLM", "temperature": 1.0},
            ),
            "harness",
        )

    def response(self, calls: int) -> ModelResponse:
        reasoning, step = self.text(), self.steps
        for word in reasoning.split(" "):
            self.recorder.live(LiveDelta(step, "reasoning", word + " "))
        self._prompt = self._prompt + [self._random.randrange(150_000) for _ in range(self._words)]
        generated = [self._random.randrange(150_000) for _ in range(self._words)]
        span = self._trail.span(self._prompt)
        self._trail.advance(self._prompt, generated)
        response = ModelResponse(
            step=step,
            attempt=1,
            reasoning=reasoning,
            content=self.text(3),
            calls=[
                CallRequest(
                    index=index,
                    call_id=f"call-{step}-{index}",
                    name="bash",
                    arguments=f'{{"command":"true {step}"}}',
                )
                for index in range(calls)
            ],
            finish_reason="tool_calls" if calls else "stop",
            complete=True,
            usage=Usage(prompt_tokens=len(self._prompt), completion_tokens=len(generated)),
            prompt_ids=span,
            generated_ids=generated,
        )
        self._prompt = self._prompt + generated
        self.note(response, "model")
        return response

    def call(self, call: CallRequest) -> None:
        self.recorder.record(
            ToolCall(
                step=self.steps,
                call_id=call.call_id,
                index=call.index,
                name=call.name,
                arguments=call.arguments,
                parsed=None,
                approval=Permission(by="mode", mode="auto"),
            ),
            "model",
        )

    def observe(self, call: CallRequest, error: str | None = None) -> Event:
        text = self.text()
        self.recorder.live(LiveOutput(call.call_id, text))
        full = self.recorder.put_blob(text.encode() * 3) if self._random.random() < 0.2 else None
        observation = Observation(
            step=self.steps,
            call_id=call.call_id,
            name=call.name,
            text=text,
            error=error,
            seconds=0.1,
            full=full,
        )
        return self.recorder.record(observation, "tool")

    def end(self) -> None:
        self.recorder.record(
            SessionEnd(status="done", rounds=self.rounds, steps=self.steps), "harness"
        )
        self.recorder.close()


def record_session(
    folder: Path,
    *,
    seed: int = 0,
    rounds: int = 2,
    steps: int = 4,
    words: int = 20,
    change: Callable[[FakeSession], None] = FakeSession.end,
    key: HomeKey | None = None,
    **start: object,
) -> FakeSession:
    """Record a whole session into a folder; `change` ends it, and a key seals it."""
    session = FakeSession(Recorder.create(folder, folder.name, key=key), seed=seed, words=words)
    session.note(session_start(**start), "harness")
    for _ in range(rounds):
        session.round(steps)
    change(session)
    return session
