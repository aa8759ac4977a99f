"""The tiny GLM under a real vLLM says what it was trained to say: other tests rely on it."""

from __future__ import annotations

import pytest

from tests.tiny_glm.build import trained_conversations
from tests.tiny_glm.replay import replay
from tests.tiny_glm.server import TinyGlmServer


@pytest.mark.vllm
def test_every_turn_comes_out_of_the_server_exactly_as_it_was_trained(
    tiny_glm_server: TinyGlmServer,
) -> None:
    conversations = trained_conversations(tiny_glm_server.folder)

    turns = list(replay(tiny_glm_server, conversations))

    assert len(turns) == 13
    for name, trained, said in turns:
        assert said == trained, name
