"""Model families: another one is a module of its own, and everything that needs it finds it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from recordings.events import CallRequest, Flag
from sii_cli.doctor.server import Probe
from sii_cli.doctor.server_checks import DoctorCheck
from sii_cli.model import control_tokens, profiles
from sii_cli.model.control_tokens import neutralise
from sii_cli.model.forms import registry
from sii_cli.model.forms.form import CallStyle, Form
from sii_cli.model.profiles import profile_of
from tests.fakes.script import Turn
from tests.fakes.scripted_server import ScriptedServer
from tests.sii_cli.doctor.test_doctor_server import HELLO, ONE, SCRIPT
from tests.sii_cli.model.calling import ask, client, completion_of, parts_of

CACHES = (
    profiles._entries,
    profiles.control_tokens,
    control_tokens._tokens,
    control_tokens._marked,
)
CALL = re.compile(r"<tool_call>(\w+)\s(.*?)</tool_call>", re.DOTALL)


def compare(
    raw: str, reasoning: str | None, content: str | None, calls: Sequence[CallRequest]
) -> list[Flag]:
    """Compare calls that are written as a name and one JSON object."""
    written = [(name, json.loads(arguments)) for name, arguments in CALL.findall(raw)]
    shown = [(call.name, json.loads(call.arguments)) for call in calls]
    return [] if written == shown else ["calls_differ"]


def call_style(raw: str) -> CallStyle | None:
    return CallStyle("as JSON", is_forced=False) if CALL.search(raw) else None


TINY = Form(
    name="Tiny",
    match=("*tiny*",),
    parsers=("tiny_json",),
    profile={
        "tool_call_parser": "tiny_json",
        "reasoning_parser": "tiny_thoughts",
        "stop_tokens": ["<|user|>", "<|observation|>"],
        "call_stop": "<|observation|>",
        "control_tokens": ["<|tiny|>"],
    },
    compare=compare,
    call_style=call_style,
)


@pytest.fixture(autouse=True)
def _another_family(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "FORMS", (*registry.FORMS, TINY))
    for cache in CACHES:
        cache.cache_clear()
    yield
    for cache in CACHES:
        cache.cache_clear()


def test_its_profile_is_found_by_the_name_of_a_model() -> None:
    profile = profile_of("my-tiny-7b")
    assert (profile.name, profile.tool_call_parser) == ("Tiny", "tiny_json")
    assert profile_of("glm-4.5").tool_call_parser == "glm45"


def test_its_control_tokens_are_neutralised_for_every_model() -> None:
    assert neutralise("<|tiny|> <|user|>")[1] == [("<|tiny|>", 1), ("<|user|>", 1)]


@pytest.mark.parametrize(("parsed", "flags"), [(True, ()), (False, ("calls_differ",))])
async def test_its_raw_text_is_compared_with_what_the_parser_returned(
    parsed: bool, flags: tuple[str, ...]
) -> None:
    turn = Turn(calls=[("bash", {"command": "ls"})], parsed=parsed)
    async with ScriptedServer([turn], model="tiny") as server, client(server.base_url) as model:
        await model.describe()
        differences = await model.text_differences(
            completion_of(await parts_of(model, ask(model="tiny")))
        )
    assert differences is not None
    assert differences.flags == flags


async def _examined(script: Sequence[Turn], model: str) -> dict[str, DoctorCheck]:
    async with ScriptedServer(script, model=model, context_length=1000) as fake:
        probe = Probe(fake.base_url, None, None)
        checks = {check.name: check async for check in probe.checks()}
        await probe.aclose()
    return checks


@pytest.mark.parametrize(
    ("model", "reasoning", "tools"),
    [
        ("tiny", "--reasoning-parser tiny_thoughts", "--tool-call-parser tiny_json"),
        ("glm-4.7", "--reasoning-parser glm45", "--tool-call-parser glm47"),
        ("nobody-knows", "the model's family", "the model's family"),
    ],
)
async def test_the_doctor_advises_the_familys_own_parsers(
    model: str, reasoning: str, tools: str
) -> None:
    script: list[Turn] = list(SCRIPT)
    script[0] = replace(HELLO, content="<think>Hm.</think>")
    script[3] = replace(ONE, parsed=False)
    checks = await _examined(script, model)
    assert reasoning in checks["reasoning"].remedy
    if model != "nobody-knows":  # which token ends a turn with calls is not known
        assert tools in checks["one call"].remedy


async def test_the_doctor_names_how_its_calls_are_written() -> None:
    form = (await _examined(SCRIPT, "tiny"))["call form"]
    assert (form.status, form.found) == ("ok", "as JSON")
