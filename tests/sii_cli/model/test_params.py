"""What of the settings and of a model's profile reaches the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from sii_cli.config.settings import Settings
from sii_cli.model.types import ChatRequest, ServedModel
from sii_cli.model.vllm import VllmModel
from sii_cli.session.request_params import params_notes, request_params
from tests.fakes.fake_tokenizer import id_of
from tests.fakes.script import Turn
from tests.fakes.scripted_server import ScriptedServer
from tests.sii_cli.model.calling import QUESTION, parts_of
from tests.sii_cli.model.test_profiles import forget

STOPS = [id_of(token) for token in ("<|endoftext|>", "<|user|>", "<|observation|>")]


@pytest.fixture(autouse=True)
def user_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("SII_HOME", str(tmp_path))
    forget()
    yield tmp_path / "models.toml"
    forget()


async def asked(name: str, **settings: Any) -> tuple[dict[str, Any], list[str]]:
    """The body that a server of this model gets, and what the user is told."""
    async with ScriptedServer([Turn(content="Hi.")], model=name) as server:
        chosen = Settings(base_url=server.base_url, **settings)
        model = VllmModel(base_url=server.base_url)
        served = await model.describe()
        params = request_params(chosen, served)
        await parts_of(model, ChatRequest("1", [orjson.dumps(QUESTION)], None, params))
        await model.aclose()
        return server.requests[0].body, params_notes(chosen, served)


async def test_without_a_setting_only_the_stop_tokens_are_sent() -> None:
    body, notes = await asked("glm-4.7")
    assert body["stop_token_ids"] == STOPS
    assert notes == []
    assert not {"temperature", "top_p", "chat_template_kwargs", "seed", "max_tokens"} & set(body)


@pytest.mark.parametrize(
    ("name", "settings", "sent", "told"),
    [
        ("glm-4.5", {"enable_thinking": False}, {"enable_thinking": False}, ""),
        ("glm-4.7", {"enable_thinking": True}, {"enable_thinking": True}, ""),
        ("glm-5", {"enable_thinking": False}, None, "GLM-5 always thinks"),
        ("qwen3", {"enable_thinking": False}, {"enable_thinking": False}, ""),
        ("glm-4.7", {"keep_reasoning": "all"}, {"clear_thinking": False}, ""),
        ("glm-4.7", {"keep_reasoning": False}, None, ""),
        ("glm-4.6", {"keep_reasoning": "all"}, None, "keep_reasoning does nothing"),
        ("qwen3", {"keep_reasoning": "all"}, None, "keep_reasoning does nothing"),
        (
            "glm-4.7-flash",
            {"enable_thinking": False, "keep_reasoning": "all"},
            {"enable_thinking": False, "clear_thinking": False},
            "",
        ),
    ],
)
async def test_switches_reach_the_template_that_has_them(
    name: str, settings: dict[str, Any], sent: dict[str, Any] | None, told: str
) -> None:
    body, notes = await asked(name, **settings)
    assert body.get("chat_template_kwargs") == sent
    assert told in " ".join(notes)
    assert bool(told) == bool(notes)


def test_a_users_profile_sets_sampling_and_a_setting_goes_over_it(user_file: Path) -> None:
    user_file.write_text(
        """
        [[profile]]
        name = "Ours"
        match = ["ours-*"]
        stop_tokens = ["<|user|>"]
        keep_reasoning = { keep_all = true }
        sampling = { temperature = 0.6, top_k = 40, repetition_penalty = 1.05 }
        """
    )
    body, _ = asyncio.run(asked("ours-7b", temperature=0.2, seed=3, keep_reasoning="all"))
    assert (body["temperature"], body["top_k"], body["repetition_penalty"]) == (0.2, 40, 1.05)
    assert body["seed"] == 3
    assert body["stop_token_ids"] == [id_of("<|user|>")]
    assert body["chat_template_kwargs"] == {"keep_all": True}


def test_stop_tokens_that_are_no_single_token_are_not_sent(user_file: Path) -> None:
    user_file.write_text('[[profile]]\nmatch = ["ours"]\nstop_tokens = ["two words"]')
    body, _ = asyncio.run(asked("ours"))
    assert "stop_token_ids" not in body


def test_a_model_that_no_server_describes_is_asked_plainly() -> None:
    params = request_params(Settings(), ServedModel("demo", "none"))
    assert params["model"] == "demo"
    assert params["return_token_ids"] is True
