"""A script in the manner of published ones: each message rendered and tokenised for itself.

Runs where transformers is: `python peer_retokenise.py MODEL_FOLDER MESSAGES.jsonl`. Prints one JSON
object: seconds, and how many samples it spoils.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from transformers import AutoTokenizer

Message = dict[str, Any]

folder, path = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(folder)
STOPS = set(tokenizer.convert_tokens_to_ids(["<|user|>", "<|observation|>"]))


def render(messages: list[Message], tools: list[Any] | None) -> str:
    rendered: str = tokenizer.apply_chat_template(messages, tools=tools or None, tokenize=False)
    return rendered


def ids_of(text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def tokenise(messages: list[Message], tools: list[Any]) -> tuple[list[int], list[int]]:
    """Ids and mask, message by message, the front of a template cut off each but the first."""
    user: Message = {"role": "user", "content": "x"}
    front = 2 * len(ids_of(render([user], None))) - len(ids_of(render([user, user], None)))
    ids: list[int] = []
    mask: list[int] = []
    for place, message in enumerate(messages):
        piece = ids_of(render([message], tools if place == 0 else None))
        piece = piece if place == 0 else piece[front:]
        ids += piece
        mask += [int(message["role"] == "assistant")] * len(piece)
    return ids, mask


begin = time.process_time()
samples = []
with open(path) as lines:
    for line in lines:
        row = json.loads(line)
        messages = row["prompt"] + row["completion"]
        samples.append((messages, row["tools"], *tokenise(messages, row["tools"])))
seconds = time.process_time() - begin
print(
    json.dumps(
        {
            "seconds": seconds,
            "samples": len(samples),
            "without_stop": sum(
                not any(on and one in STOPS for one, on in zip(ids, mask, strict=True))
                for _, _, ids, mask in samples
            ),
            "not_the_template": sum(
                ids != ids_of(render(messages, tools)) for messages, tools, ids, _ in samples
            ),
        }
    )
)
