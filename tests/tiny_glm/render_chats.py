"""Renders chats as transformers does: `python render_chats.py MODEL < CHATS`.

Runs in the vLLM environment. A chat is a line of `apply_chat_template`'s keyword arguments, and
so is the result: `input_ids` and, where asked for, `assistant_masks`.
"""

from __future__ import annotations

import json
import sys

from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
for line in sys.stdin:
    made = tokenizer.apply_chat_template(**json.loads(line), tokenize=True, return_dict=True)
    print(json.dumps(dict(made)))
