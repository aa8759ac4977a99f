"""GLM-4.5's form on a real vLLM, with the grammar that forces GLM-4.7's form off and on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recordings.conversation.messages import encode_message
from recordings.events import Event, Flag, ModelResponse, RawGeneration, RoundEnd
from recordings.storage.encoding import encode
from recordings.verify import verify
from sii_cli.config.settings import Settings
from sii_cli.doctor.server import Probe
from sii_cli.doctor.server_checks import DoctorCheck
from sii_cli.model.profiles import profile_of
from sii_cli.model.types import STREAMING, ChatRequest, Completion
from sii_cli.model.vllm import VllmModel
from tests.tiny_glm.build import ensure_model, trained_conversations
from tests.tiny_glm.conversations import BUGFIX
from tests.tiny_glm.server import TinyGlmServer, serve
from tests.tiny_glm.talking import hold, rebuilt, told_by

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

GLM45 = profile_of("GLM-4.5")
TASKS = [round_.user for round_ in BUGFIX.rounds]


@pytest.fixture(scope="module", params=[False, True], ids=["free", "forced"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TinyGlmServer]:
    log = tmp_path_factory.mktemp("glm45") / "vllm.log"
    with serve(ensure_model("glm45"), "glm45", log, strict_tool_calls=request.param) as running:
        yield running


@pytest.fixture
def is_forced(request: pytest.FixtureRequest) -> bool:
    return bool(request.node.callspec.params["server"])


@pytest.fixture(autouse=True)
def _known_by_its_form(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sii_cli.session.request_params.profile_of", "sii_cli.model.vllm.profile_of"):
        monkeypatch.setattr(name, lambda *names: GLM45)


async def told(server: TinyGlmServer, folder: Path) -> list[Event]:
    conversation = trained_conversations(server.folder)[0]
    settings = Settings(temperature=0, max_tokens=200, max_steps=8)
    events = await hold(server, folder, conversation, TASKS, settings)
    for request, messages, prompt, response in rebuilt(events):
        assert prompt == told_by(server, conversation["tools"], request, messages)
        assert response.usage is not None
        assert len(response.generated_ids or []) == response.usage.completion_tokens
    assert verify(folder).whole
    return events


async def test_ids_are_exact_and_nothing_of_the_free_form_is_flagged(
    server: TinyGlmServer, tmp_path: Path, is_forced: bool
) -> None:
    events = await told(server, tmp_path)
    if is_forced:
        return  # what this model says in a form that it never learnt differs with its training
    flags = {f for e in events if isinstance(e.data, RawGeneration) for f in e.data.flags}
    assert flags == set(), "nothing is lost by the parser but the form's own line ends"
    said = [e.data for e in events if isinstance(e.data, ModelResponse)]
    steps = [step for round_ in BUGFIX.rounds for step in round_.steps]
    assert [(data.content or "").strip() for data in said] == [step.content for step in steps]
    assert [e.data.status for e in events if isinstance(e.data, RoundEnd)] == ["answered"] * 2
    kinds = [data.continuity.kind for data in said if data.continuity]
    assert kinds == ["first", *["extension"] * 4, "break"]
    assert said[-1].continuity is not None
    assert said[-1].continuity.cause == "new_round", "the template drops the reasoning there"


async def test_a_forced_form_is_flagged_and_seen_by_the_doctor(
    server: TinyGlmServer, is_forced: bool
) -> None:
    form, flags = await form_seen(server)
    assert ("call_form_forced" in flags) == is_forced
    if is_forced:
        assert form.status == "fail"
        assert "VLLM_ENFORCE_STRICT_TOOL_CALLING=0" in form.remedy
    else:
        assert form.status == "ok"


async def form_seen(server: TinyGlmServer) -> tuple[DoctorCheck, tuple[Flag, ...]]:
    """What the doctor says of a call that the model was trained to make, and what is flagged.

    The doctor's own questions mean nothing to the tiny model.
    """
    conversation = trained_conversations(server.folder)[0]
    asked = ChatRequest(
        request_id="sii-form",
        messages=[encode_message(message) for message in conversation["messages"][:2]],
        tools=encode(conversation["tools"]),
        params={"model": server.model, **STREAMING, "temperature": 0, "max_tokens": 200},
    )
    model, probe = VllmModel(base_url=server.base_url), Probe(server.base_url, None, None)
    served = await model.describe()
    (done,) = [part async for part in model.stream(asked) if isinstance(part, Completion)]
    form = await probe._form(served, done, GLM45)
    differences = await model.text_differences(done)
    assert differences is not None
    await model.aclose()
    await probe.aclose()
    return form, differences.flags
