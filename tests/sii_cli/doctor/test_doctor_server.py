"""The doctor: a server that is well, and one for every fault that it finds."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sii_cli.config.settings import Settings
from sii_cli.doctor import machine as doctor
from sii_cli.doctor.server import Probe
from sii_cli.doctor.server_checks import TEXT, DoctorCheck
from tests.fakes.script import CutOff, HttpError, SilentAfter, Turn
from tests.fakes.scripted_server import ScriptedServer

HELLO = Turn(reasoning="Hm.", content="Hello.")
ONE = Turn(reasoning="One.", calls=[("note", {"text": TEXT, "tags": [1, {}]})])
TWO = Turn(reasoning="Two.", calls=[("note", {"text": "one"}), ("note", {"text": "two"})])
SCRIPT = (HELLO, HELLO, HELLO, ONE, HELLO, TWO)
"""The answers to: hello twice, no call, one call, the call sent back, two calls."""


async def examined(
    script: Any = SCRIPT, key: str | None = None, **server: Any
) -> list[DoctorCheck]:
    """Every check of a server that plays the script."""
    settings = {"model": "glm-4.5", "context_length": 1000, **server}
    async with ScriptedServer(script, **settings) as fake:
        probe = Probe(fake.base_url, None, key)
        checks = [check async for check in probe.checks()]
        await probe.aclose()
    return checks


def told(checks: list[DoctorCheck], name: str) -> DoctorCheck:
    (check,) = (check for check in checks if check.name == name)
    return check


async def test_a_server_that_is_well_has_no_fault() -> None:
    checks = await examined(context_length=131072)
    assert {check.name: check.status for check in checks} == dict.fromkeys(
        (
            "server",
            "profile",
            "version",
            "context",
            "token ids",
            "usage",
            "stop",
            "reasoning",
            "prefix cache",
            "no call",
            "one call",
            "unicode",
            "nested",
            "text and ids",
            "call form",
            "template",
            "parallel calls",
            "long argument",
            "overflow",
        ),
        "ok",
    ) | {"wire": "warn"}  # without a tokenizer's file, prompts are sent as messages


@pytest.mark.parametrize(
    ("place", "planted", "name", "status", "words"),
    [
        (0, replace(HELLO, content="<think>Hm.</think>"), "reasoning", "fail", "reasoning-parser"),
        (0, CutOff(HELLO, 2), "stop", "warn", "cut off"),
        (0, HttpError(500), "answer", "fail", "500"),
        (3, HELLO, "one call", "warn", "made 0"),
        (4, HttpError(500), "template", "fail", "500"),
        (3, replace(ONE, parsed=False), "one call", "fail", "--tool-call-parser"),
        (3, replace(ONE, compact=True), "call form", "fail", "VLLM_ENFORCE_STRICT_TOOL_CALLING=0"),
        (3, replace(ONE, compact=True), "template", "warn", "differs from token"),
        (3, Turn(calls=[("note", "[1]")]), "one call", "fail", "not an object"),
        (3, Turn(calls=[("note", {"text": "na?ve"})]), "unicode", "warn", "asked for"),
        (3, Turn(calls=[("note", {"text": TEXT, "tags": "[1, {}]"})]), "nested", "fail", "as text"),
        (3, replace(ONE, shown=False), "text and ids", "fail", "reasoning in the ids"),
        (5, ONE, "parallel calls", "warn", "made 1, asked for 2"),
        (5, HttpError(400), "parallel calls", "fail", "refuses"),
    ],
)
async def test_each_planted_fault_is_found(
    place: int, planted: Any, name: str, status: str, words: str
) -> None:
    script: list[Any] = list(SCRIPT)
    script[place] = planted
    check = told(await examined(script), name)
    assert check.status == status
    assert words in f"{check.found} {check.remedy}"


async def test_the_compact_form_is_right_for_a_model_that_was_trained_on_it() -> None:
    script = [*SCRIPT[:3], replace(ONE, compact=True), *SCRIPT[4:]]
    assert told(await examined(script, model="glm-4.7"), "call form").status == "ok"


async def test_a_model_that_is_not_known_is_a_warning() -> None:
    assert told(await examined(model="qwen"), "profile").status == "warn"


async def test_missing_ids_are_a_failure() -> None:
    assert told(await examined(ids=False), "token ids").status == "fail"


async def test_a_wrong_key_ends_the_checks() -> None:
    (check,) = await examined(api_key="secret", key="wrong")
    assert (check.name, check.status) == ("server", "fail")
    assert "SII_API_KEY" in check.found


async def test_a_prompt_too_long_that_is_taken_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ScriptedServer, "_refusal", lambda *_: None)
    check = told(await examined([*SCRIPT, HELLO]), "overflow")
    assert check.status == "fail"


async def test_it_never_takes_longer_than_it_may(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "LONGEST", 0.3)
    monkeypatch.setattr(doctor, "backend", lambda settings: [])
    started = time.monotonic()
    async with ScriptedServer([SilentAfter(HELLO, 2)]) as server:
        settings = Settings(base_url=server.base_url, home=tmp_path / "new")
        checks = [check async for check in doctor.examine(settings)]
    assert time.monotonic() - started < 2
    assert (checks[-1].name, checks[-1].status) == ("time", "warn")


async def test_each_of_several_servers_is_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "backend", lambda settings: [])
    async with (
        ScriptedServer(SCRIPT, model="glm-4.5", context_length=1000) as well,
        ScriptedServer([HttpError(500)], model="glm-4.5") as ill,
    ):
        settings = Settings(base_url=f"{well.base_url},{ill.base_url}", home=tmp_path)
        checks = [check async for check in doctor.examine(settings)]
    failed = [(check.name, check.endpoint) for check in checks if check.status == "fail"]
    assert failed == [("answer", ill.base_url)]
    assert [c.endpoint for c in checks if c.name == "server"] == [well.base_url, ill.base_url]


def test_a_disk_that_is_full_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert doctor.disk(tmp_path / "not" / "yet").status == "ok"
    monkeypatch.setattr(doctor, "LOW_DISK", 1 << 60)
    assert doctor.disk(tmp_path).status == "warn"


def test_no_engine_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    (check,) = doctor.backend(Settings(image="any"))
    assert (check.name, check.status) == ("docker", "fail")
    assert "Install and start Docker" in check.found
    assert doctor.backend(Settings(sandbox="bubblewrap")) == [], "it needs no engine"
