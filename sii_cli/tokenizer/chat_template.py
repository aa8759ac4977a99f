"""A model's `chat_template.jinja` and `tokenizer.json`: messages → the ids that its server makes.

Renders as transformers does (`utils/chat_template_utils.py`, 5.x), but for today's date: a
template that asks for it would give other bytes every day. Needs `sii-cli[render]`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from recordings.errors import UNPARSABLE
from recordings.export.rendered import Messages, RenderFailed
from recordings.storage.opening import read_named
from sii_cli.tokenizer.tokenizer_file import (
    FILE,
    UnknownTokenizer,
    parse_tokenizer,
    read_tokenizer,
)

if TYPE_CHECKING:
    from recordings.samples.sample import Sample

TEMPLATE = "chat_template.jinja"
_LARGEST = 16 << 20
"""Bytes of a template, and of a file of settings."""
_NAMED = ("bos_token", "eos_token", "pad_token", "unk_token")
_MISSING = "samples without ids need jinja2 and tokenizers: `pip install 'sii-cli[render]'`"


class ChatTemplate:
    """The files of a model's folder that say what its server makes of messages."""

    def __init__(self, folder: Path) -> None:
        """Read them. Raises `UnknownTokenizer`."""
        try:
            import jinja2.ext
            from jinja2.sandbox import ImmutableSandboxedEnvironment

            tokenizer = parse_tokenizer(read_tokenizer(folder / FILE), str(folder / FILE))
        except ImportError:
            raise UnknownTokenizer(_MISSING) from None

        class Environment(ImmutableSandboxedEnvironment):
            """One whose powers, which no signal ends, are refused."""

            intercepted_binops = frozenset({"**"})

            def call_binop(self, context: object, operator: str, left: Any, right: Any) -> NoReturn:
                _raise(f"it has {operator}")

        environment = Environment(
            trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise
        config = _read_json(folder / "tokenizer_config.json")
        try:
            self._template = environment.from_string(_template(folder, config))
            self._tokenizer = tokenizer
            added = tokenizer.get_added_tokens_decoder()
            self._named = {name: _text(config[name]) for name in _NAMED if config.get(name)}
            self.stops = frozenset(
                added[number].content for number in _stop_ids(folder) if number in added
            ) or frozenset(self._named.get("eos_token", "").split())
        except OSError as error:
            why = error.strerror or str(error)
            raise UnknownTokenizer(f"{folder} cannot be read ({why})") from None
        except Exception as error:  # tokenizers raises nothing more special
            raise UnknownTokenizer(f"{folder} has no template for chats ({error})") from None
        self.special = frozenset(one.content for one in added.values() if one.special)

    def render(
        self, messages: Messages, sample: Sample, *, add_generation_prompt: bool = False
    ) -> str:
        """Render messages. Raises `RenderFailed`."""
        about = {**self._named, **sample.template_kwargs}
        try:
            return self._template.render(
                messages=messages,
                tools=sample.tools or None,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                **about,
            )
        except Exception as error:  # whatever a template does wrong
            raise RenderFailed(f"the chat template failed ({error})") from None

    def encode(self, text: str) -> list[int]:
        """Return a text's ids."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def _template(folder: Path, config: Mapping[str, Any]) -> str:
    path = folder / TEMPLATE
    if not path.exists() and isinstance(config.get("chat_template"), str):
        return str(config["chat_template"])
    return read_named(path, _LARGEST).decode()


def _stop_ids(folder: Path) -> list[int]:
    for name in ("generation_config.json", "config.json"):
        found = _read_json(folder / name).get("eos_token_id")
        if found is not None:
            return found if isinstance(found, list) else [found]
    return []


def _read_json(path: Path) -> dict[str, Any]:
    try:
        parsed = json.loads(read_named(path, _LARGEST))
    except (OSError, *UNPARSABLE):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _text(token: Any) -> str:
    return str(token["content"] if isinstance(token, dict) else token)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise(message: str) -> NoReturn:
    raise RenderFailed(message)
