"""Renders exported messages as a trainer would: `python render_messages.py MODEL MESSAGES.jsonl`.

Runs in the vLLM environment, with transformers. Prints the token ids of each row on a line.
"""

from __future__ import annotations

import json
import sys

from transformers import AutoTokenizer

folder, path = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(folder)
with open(path) as lines:
    for row in map(json.loads, lines):
        text = tokenizer.apply_chat_template(
            row["prompt"] + row["completion"],
            tools=row["tools"] or None,
            tokenize=False,
            **row["chat_template_kwargs"],
        )
        print(tokenizer(text, add_special_tokens=False)["input_ids"])
