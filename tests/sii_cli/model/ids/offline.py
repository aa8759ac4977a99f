"""A tokenizer and templates of several families on disk, and what a server makes of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Literal

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from recordings.conversation.messages import encode_message
from recordings.conversation.restore import SentMessage
from sii_cli.model.ids.prompt_form import PromptForm, prompt_forms
from sii_cli.model.ids.reader import Reader
from sii_cli.model.ids.values import ArgumentTypes
from sii_cli.model.ids.writer import Writer
from sii_cli.tokenizer.chat_template import ChatTemplate
from sii_cli.tokenizer.vocabulary import Vocabulary, load_vocabulary

Family = Literal["GLM-4.5", "GLM-4.7", "Qwen3"]
FAMILIES: tuple[Family, ...] = ("GLM-4.5", "GLM-4.7", "Qwen3")
GLM: tuple[Family, ...] = ("GLM-4.5", "GLM-4.7")
_TEMPLATES = {
    "GLM-4.5": Path(__file__).parents[3] / "tiny_glm" / "templates" / "glm45.jinja",
    "GLM-4.7": Path(__file__).parents[3] / "tiny_glm" / "templates" / "glm47.jinja",
    "Qwen3": Path(__file__).with_name("qwen3.jinja"),
}
_GLM_SPECIAL = (
    *("<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>"),
    *("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
)
_GLM_PLAIN = (
    *("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"),
    *("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "/nothink"),
)
"""Added tokens that the family's own tokenizer does not flag as special."""
_OF_QWEN = ("<|im_start|>", "<|im_end|>")
_OF_QWEN_PLAIN = _GLM_PLAIN[:6]
SPLIT = r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"
"""Splits words as GLM and Qwen do, about."""

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "d",
            "parameters": {"type": "object", "properties": properties},
        },
    }
    for name, properties in (
        ("bash", {"command": {"type": "string"}, "timeout": {"type": "number"}}),
        ("read_file", {"path": {"type": "string"}, "offset": {"type": "integer"}}),
        ("edit_file", {"path": {"type": "string"}, "edits": {"type": "array"}}),
        (
            "odd",
            {
                "text": {"type": "string"},
                "n": {"type": "integer"},
                "x": {"type": "number"},
                "flag": {"type": "boolean"},
                "list": {"type": "array"},
                "obj": {"type": "object"},
                "any": {},
            },
        ),
    )
]


@cache
def folder(family: Family, *, words: int = 600) -> Path:
    """A model's folder: its tokenizer and its template."""
    made = Path(mkdtemp(prefix="sii-ids-"))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=words,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([Path(__file__).read_text()], trainer)
    special = _GLM_SPECIAL if family != "Qwen3" else ("<|endoftext|>", *_OF_QWEN)
    plain = _GLM_PLAIN if family != "Qwen3" else _OF_QWEN_PLAIN
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in special])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in plain])
    tokenizer.save(str(made / "tokenizer.json"))
    (made / "chat_template.jinja").write_text(_TEMPLATES[family].read_text())
    return made


def _regex(pattern: str) -> Any:
    from tokenizers import Regex

    return Regex(pattern)


@dataclass(frozen=True)
class _Rendered:
    """What `ChatTemplate` reads of a sample."""

    tools: list[Any] = field(default_factory=list)
    template_kwargs: dict[str, Any] = field(default_factory=dict)


class Server:
    """Renders as a server with a model's files does."""

    def __init__(self, family: Family, files: Path | None = None) -> None:
        self._template = ChatTemplate(files or folder(family))

    async def render(self, body: dict[str, Any]) -> list[int] | None:
        """What `/tokenize` answers."""
        if "prompt" in body:
            return self._template.encode(body["prompt"])
        return self.ids(
            body["messages"],
            tools=body.get("tools"),
            kwargs=body.get("chat_template_kwargs"),
            prompt=body.get("add_generation_prompt", True),
        )

    def ids(
        self,
        messages: list[dict[str, Any]],
        *,
        tools: Any = None,
        kwargs: Any = None,
        prompt: bool = True,
    ) -> list[int]:
        parsed = json.loads(json.dumps(messages))
        for message in parsed:
            for call in message.get("tool_calls") or ():
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
        about: Any = _Rendered(tools or [], kwargs or {})
        text = self._template.render(parsed, about, add_generation_prompt=prompt)
        return self._template.encode(text)


def vocabulary(family: Family) -> Vocabulary:
    return load_vocabulary(folder(family))


def form(family: Family) -> PromptForm:
    return next(one for one in prompt_forms() if one.name == family)


def writer(family: Family, *, thinking: bool = True) -> Writer:
    return Writer(vocabulary(family), form(family), thinking=thinking)


def generated(family: Family, text: str) -> list[int]:
    """What a model generated: control tokens where they are spelled."""
    own = vocabulary(family)
    return own.join(own.pieces(text))


def reader(family: Family, *, thinking: bool = True) -> Reader:
    made = writer(family, thinking=thinking)
    opens = made.opens_thought(made.opening())
    return Reader(made, ArgumentTypes(TOOLS), in_thought=opens)


def sent(messages: list[dict[str, Any]]) -> list[SentMessage]:
    """Messages as a session sends them."""
    return [SentMessage(seq, encode_message(one)) for seq, one in enumerate(messages)]
