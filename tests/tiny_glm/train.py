"""Overfits a tiny Glm4MoeForCausalLM on conversations, until greedy decoding repeats them surely.

Runs in the vLLM environment: `python train.py INPUT.json OUTPUT_FOLDER`. The input is what
`build.py` writes: `template` (the chat template), `conversations` and `summaries`, each with
`name`, `messages`, `tools` and `template_kwargs`.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizer import train_tokenizer
from torch.nn.functional import cross_entropy
from transformers import Glm4MoeConfig, Glm4MoeForCausalLM, PreTrainedTokenizerFast

MAX_STEPS = 400
WARM_UP = 20
LEARNING_RATE = 3e-3
SURE = math.log(0.8)
"""Every trained token must be at least this likely (log probability), …"""
SURE_STEPS = 3
"""… for so many steps in a row."""
IGNORED = -100
"""Label of a token that is not trained."""
THREADS = 1
"""As fast as two for a model this small, and four times as fast on a busy machine."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Token ids of one round's prompt and turns; labels only on what the model says."""

    name: str
    ids: list[int]
    labels: list[int]


class Renderer:
    """Turns conversations into token ids, as the server will."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, template: str) -> None:
        self._tokenizer = tokenizer
        self._template = template

    def samples(self, conversation: dict[str, Any]) -> Iterator[Sample]:
        """Yield a sample a round: a new user message changes how earlier turns are rendered."""
        messages = conversation["messages"]
        starts = [i for i, message in enumerate(messages) if message["role"] == "user"]
        for number, start in enumerate(starts, 1):
            end = starts[number] if number < len(starts) else len(messages)
            yield self._round(f"{conversation['name']}, round {number}", conversation, start, end)

    def _round(self, name: str, conversation: dict[str, Any], start: int, end: int) -> Sample:
        messages = conversation["messages"]
        ids: list[int] = []
        labels: list[int] = []
        for turn in range(start, end):
            if messages[turn]["role"] != "assistant":
                continue
            prompt = self.render(conversation, messages[:turn], prompt=True)
            whole = self.render(conversation, messages[: turn + 1], prompt=False)
            if not whole.startswith(prompt):
                raise ValueError(f"{name}: the turn does not continue its prompt: {prompt[-80:]}")
            stop = "<|observation|>" if messages[turn].get("tool_calls") else "<|user|>"
            prompt_ids = self._encode(prompt)
            # The token of the next role may stand where the turn had its stop.
            if prompt_ids[: len(ids)][:-1] != ids[:-1]:
                raise ValueError(f"{name}: the prompt does not continue the turn before it")
            said = self._encode(whole[len(prompt) :] + stop)
            labels += [IGNORED] * (len(prompt_ids) - len(ids)) + said
            ids = prompt_ids + said
        return Sample(name, ids, labels)

    def render(
        self, conversation: dict[str, Any], messages: list[dict[str, Any]], *, prompt: bool
    ) -> str:
        """Render messages as text, with the opening of the next turn when it is a prompt."""
        text: str = self._tokenizer.apply_chat_template(
            [_with_parsed_arguments(message) for message in messages],
            tools=conversation["tools"],
            chat_template=self._template,
            add_generation_prompt=prompt,
            tokenize=False,
            **conversation["template_kwargs"],
        )
        return text

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def _with_parsed_arguments(message: dict[str, Any]) -> dict[str, Any]:
    """Templates read arguments as an object; servers parse the string that a client sends."""
    calls = [
        {**call, "function": {**call["function"], "arguments": json.loads(text)}}
        for call in message.get("tool_calls", [])
        if isinstance(text := call["function"]["arguments"], str)
    ]
    return {**message, "tool_calls": calls} if calls else message


def make_model(tokenizer: PreTrainedTokenizerFast) -> Glm4MoeForCausalLM:
    """Return an untrained model of GLM-4.5's architecture, about 2 M parameters."""
    stops = ("<|endoftext|>", "<|user|>", "<|observation|>")
    config = Glm4MoeConfig(
        vocab_size=math.ceil(len(tokenizer) / 64) * 64,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,  # vLLM's attention on the CPU takes 32, 64, 80, …
        moe_intermediate_size=64,
        n_routed_experts=8,
        num_experts_per_tok=2,
        n_shared_experts=1,
        first_k_dense_replace=1,
        n_group=1,
        topk_group=1,
        norm_topk_prob=True,
        routed_scaling_factor=1.0,
        use_qk_norm=True,
        attention_bias=True,
        partial_rotary_factor=0.5,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": 0.5,
        },
        max_position_embeddings=8192,
        num_nextn_predict_layers=0,
        num_mtp_layers=0,
        tie_word_embeddings=False,
        eos_token_id=[tokenizer.convert_tokens_to_ids(text) for text in stops],
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )
    return Glm4MoeForCausalLM(config)


def overfit(model: Glm4MoeForCausalLM, samples: list[Sample]) -> None:
    """Train until every token is surely the most likely one. Raises `RuntimeError` if never."""
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, weight_decay=0.0, betas=(0.9, 0.98)
    )
    trained = sum(label != IGNORED for sample in samples for label in sample.labels)
    began = time.monotonic()
    sure = 0
    for step in range(1, MAX_STEPS + 1):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1, step / WARM_UP)
        optimizer.zero_grad()
        right, worst = 0, 0.0
        for sample in samples:
            loss, hits, least = _forward(model, sample)
            (loss / trained).backward()
            right, worst = right + hits, min(worst, least)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        sure = sure + 1 if right == trained and worst > SURE else 0
        if step % 20 == 0 or sure == SURE_STEPS:
            seconds = time.monotonic() - began
            print(f"  step {step}: {right}/{trained} tokens right, {seconds:.0f} s", flush=True)
        if sure == SURE_STEPS:
            return
    raise RuntimeError(f"the tiny model did not learn its conversations in {MAX_STEPS} steps")


def _forward(model: Glm4MoeForCausalLM, sample: Sample) -> tuple[torch.Tensor, int, float]:
    """Return the summed loss, how many tokens are most likely, and the least log probability."""
    wanted = torch.tensor(sample.labels[1:])
    trained = wanted != IGNORED
    hidden = model.model(torch.tensor([sample.ids])).last_hidden_state[0, :-1]
    logits = model.lm_head(hidden[trained]).float()
    wanted = wanted[trained]
    loss = cross_entropy(logits, wanted, reduction="sum")
    with torch.no_grad():
        hits = int((logits.argmax(-1) == wanted).sum())
        least = float(logits.log_softmax(-1).gather(1, wanted[:, None]).min())
    return loss, hits, least


def main(given: Path, output: Path) -> None:
    """Train tokenizer and model; write them as a server loads them."""
    torch.manual_seed(0)
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True, warn_only=True)
    data = json.loads(given.read_text("utf-8"))
    conversations = data["conversations"]
    tokenizer = train_tokenizer(_front(conversations))
    tokenizer.chat_template = data["template"]
    renderer = Renderer(tokenizer, data["template"])
    taught = [*conversations, *data["summaries"]]
    samples = [sample for one in taught for sample in renderer.samples(one)]
    for sample in samples:
        spoken = sum(label != IGNORED for label in sample.labels)
        print(f"  {sample.name}: {len(sample.ids)} tokens, {spoken} of the model", flush=True)
    model = make_model(tokenizer)
    overfit(model, samples)
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)
    greedy = {"temperature": 0.0, "eos_token_id": model.config.eos_token_id}
    (output / "generation_config.json").write_text(json.dumps(greedy))


def _front(conversations: list[dict[str, Any]]) -> str:
    """Return the text that stands in every prompt: the tools and the system prompt."""
    first = conversations[0]
    tools = [json.dumps(tool, ensure_ascii=False) for tool in first["tools"]]
    return "\n".join([*tools, first["messages"][0]["content"]])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
