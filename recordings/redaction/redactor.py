"""The redactor: masks secrets in events and blobs, while recording or afterwards."""

from __future__ import annotations

from functools import cache
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin

from recordings.events import (
    EventData,
    EventPart,
    IdSpan,
    ModelError,
    ModelResponse,
    SummaryResponse,
)
from recordings.redaction.secrets import Secret, SecretFinder, mask

_Response = TypeVar("_Response", ModelResponse, SummaryResponse)

BLANK = -1
"""Replaces a token id that was removed."""


class Redactor:
    """Masks what a finder finds; with `whole`, the whole text in which it finds something."""

    def __init__(self, finder: SecretFinder, *, whole: bool = False) -> None:
        self.finder = finder
        self._whole = whole
        self.names: set[str] = set()
        """Names of all secrets that were masked so far."""

    def text(self, text: str) -> str:
        """Return a text without its secrets."""
        secrets = self.finder.find(text)
        if not secrets:
            return text
        self.names |= {secret.name for secret in secrets}
        if self._whole:
            secrets = [Secret(secrets[0].name, secrets[0].how, 0, len(text))]
        return mask(text, secrets)

    def bytes(self, data: bytes) -> bytes:
        """Return the bytes of a blob without their secrets."""
        text = data.decode("utf-8", "surrogateescape")
        masked = self.text(text)
        return data if masked == text else masked.encode("utf-8", "surrogateescape")

    def data(self, data: EventData) -> EventData:
        """Return an event's data without its secrets; the same object when there are none.

        A response's generated ids are blanked with its text.
        """
        if not self.finder.find("\n".join(texts_of(data))):
            return data
        fields = self._value(data.model_dump())
        redacted = type(data).model_validate(fields)
        if redacted == data:
            return data
        return blank_generated(redacted)

    def _value(self, value: Any) -> Any:
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(key): self._named(key, item) for key, item in value.items()}
            case list() | tuple() if all(isinstance(item, int) for item in value):
                return value
            case list() | tuple():
                return [self._value(item) for item in value]
            case _:
                return value

    def _named(self, key: str, value: Any) -> Any:
        """Mask a value with its name before it: `{"password": "…"}` reveals it."""
        if not isinstance(value, str):
            return self._value(value)
        before = f"{key}="
        masked = self.text(before + value)
        return masked[len(before) :] if masked.startswith(before) else self.text(value)


def texts_of(data: EventData) -> list[str]:
    """Return every text in an event's data, those of a dictionary as `name=text`."""
    texts: list[str] = []
    _collect_fields(data, texts)
    return texts


def _collect_fields(part: EventPart, texts: list[str]) -> None:
    """Collect texts, skipping fields without text: this runs for everything that is recorded."""
    fields = part.__dict__
    for name in _text_fields(type(part)):
        value = fields[name]
        if isinstance(value, str):
            texts.append(value)
        elif value:
            _collect(value, texts)


def _collect(value: Any, texts: list[str]) -> None:
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, texts)
    elif isinstance(value, dict):
        for key, item in value.items():
            texts.append(f"{key}={item}" if isinstance(item, str) else str(key))
            if item and not isinstance(item, str | int | float):
                _collect(item, texts)
    elif isinstance(value, EventPart):
        _collect_fields(value, texts)


@cache
def _text_fields(cls: type[EventPart]) -> tuple[str, ...]:
    """Return the fields of a part that may hold a text, by their types."""
    return tuple(name for name, field in cls.model_fields.items() if _holds_text(field.annotation))


def _holds_text(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return False
    if isinstance(annotation, type) and issubclass(annotation, EventPart):
        return bool(_text_fields(annotation))
    inner = get_args(annotation)
    if inner:
        return any(_holds_text(one) for one in inner)
    return annotation not in (int, float, bool, NoneType)


def blank_generated(data: EventData) -> EventData:
    """Blank the generated ids; their number stays."""
    if isinstance(data, ModelResponse | SummaryResponse | ModelError) and data.generated_ids:
        update: dict[str, Any] = {"generated_ids": [BLANK] * len(data.generated_ids)}
        if not isinstance(data, ModelError):
            update["flags"] = [*data.flags, "redacted"]
        return data.model_copy(update=update)
    return data


def blank_prompt(data: _Response) -> _Response:
    """Blank the new ids of a prompt; their number stays."""
    if data.prompt_ids is None or not data.prompt_ids.new:
        return data
    span = IdSpan(keep=data.prompt_ids.keep, new=[BLANK] * len(data.prompt_ids.new))
    flags = data.flags if "redacted" in data.flags else [*data.flags, "redacted"]
    return data.model_copy(update={"prompt_ids": span, "flags": flags})
