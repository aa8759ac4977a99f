"""Ten rounds with a real vLLM: the recording rebuilds, prompt by prompt, what the server saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recordings.events import RoundEnd
from recordings.verify import verify
from sii_cli.config.settings import Settings
from sii_cli.model.profiles import profile_of
from tests.tiny_glm.build import trained_conversations
from tests.tiny_glm.conversations import BUGFIX, COMPUTE, COUNTING
from tests.tiny_glm.server import TinyGlmServer
from tests.tiny_glm.talking import hold, rebuilt, told_by

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

GLM47 = profile_of("GLM-4.7")
MEND, THANKS = (round_.user for round_ in BUGFIX.rounds)
TASKS = [MEND, THANKS, COMPUTE.rounds[0].user, THANKS, COUNTING.rounds[0].user] * 2


@pytest.mark.parametrize("keep_reasoning", ["auto", "all"])
async def test_the_ids_rebuild_every_prompt_and_breaks_are_where_they_are(
    tiny_glm_server: TinyGlmServer, tmp_path: Path, keep_reasoning: Any, monkeypatch: Any
) -> None:
    conversation = trained_conversations(tiny_glm_server.folder)[0]
    monkeypatch.setattr("sii_cli.session.request_params.profile_of", lambda *names: GLM47)
    settings = Settings(temperature=0, max_tokens=120, keep_reasoning=keep_reasoning, max_steps=8)
    events = await hold(tiny_glm_server, tmp_path, conversation, TASKS, settings)
    calls = rebuilt(events)
    assert len([e for e in events if isinstance(e.data, RoundEnd)]) == 10
    assert max(len(response.calls) for *_, response in calls) >= 2, "calls side by side"
    stood: list[int] = []
    users = 0
    for request, messages, prompt, response in calls:
        assert prompt == told_by(tiny_glm_server, conversation["tools"], request, messages)
        assert response.usage is not None
        assert response.usage.prompt_tokens == len(prompt)
        assert response.usage.completion_tokens == len(response.generated_ids or [])
        asked = sum(message["role"] == "user" for message in messages)
        check_continuity(response.continuity, stood, prompt, new_round=asked > users)
        stood, users = prompt + (response.generated_ids or []), asked
    causes = {response.continuity.cause for *_, response in calls if response.continuity}
    assert "new_round" in causes or keep_reasoning == "all"
    assert verify(tmp_path).whole


def check_continuity(told: Any, stood: list[int], prompt: list[int], *, new_round: bool) -> None:
    """Hold what was recorded against a plain comparison, id by id."""
    pairs = zip(stood, prompt, strict=False)
    same = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(stood), len(prompt)))
    if not stood:
        assert told.kind == "first"
    elif same == len(stood):
        assert told.kind == "extension"
    else:
        cause = "new_round" if new_round else "drift"
        assert (told.kind, told.cause, told.at) == ("break", cause, same)
