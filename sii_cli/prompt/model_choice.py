"""Choosing another model at the prompt, and whether it thinks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sii_cli.agent.context.budget import context_length
from sii_cli.config.settings import Settings
from sii_cli.model.server import named
from sii_cli.model.thinking import thinking_effect
from sii_cli.model.types import ServedModel
from sii_cli.prompt.going_back import or_not_done
from sii_cli.prompt.slash import NotDone
from sii_cli.session.request_params import request_params, served_profile
from sii_cli.session.session import Session
from sii_cli.text.sanitise import one_line

if TYPE_CHECKING:
    from sii_cli.prompt.session import PromptSession

BREAK = "The next prompt is a recorded break: a new sample begins there."
_WRITES = {
    "opening": "The template writes only the beginning of the response differently.",
    "history": "The template writes earlier messages differently, too.",
    "unknown": "The server does not say what its template does with it.",
}
_STATES = {True: "on", False: "off", None: "left to the model's template"}


class ModelChoice:
    """What the commands `/model` and `/think` do."""

    def __init__(self, at_prompt: PromptSession) -> None:
        self._at_prompt = at_prompt

    async def names(self) -> Sequence[str]:
        """Return what the server serves, the session's model first. Raises `NotDone`."""
        names = await or_not_done(self._session.served_names())
        return sorted(names, key=lambda name: name != self._at_prompt.model)

    async def choose(self, name: str) -> None:
        """Continue with another model. Raises `NotDone`."""
        names = await self.names()
        if name not in names:
            raise NotDone(
                f"The server does not serve {one_line(name, 60)}; it serves {named(names)}."
            )
        before = await self._before()
        if before is not None and name == before.name:
            raise NotDone(f"The session has {one_line(name, 60)} already.")
        settings = self._at_prompt.settings
        served = await self._change(replace(settings, model=name))
        self._at_prompt.say(
            f"The session continues with {one_line(served.name, 60)}.",
            *_differences(settings, before, served),
            BREAK,
        )

    async def think(self, thinks: bool) -> None:
        """Turn thinking on or off. Raises `NotDone`."""
        session = self._session
        served = await or_not_done(session.served())
        profile = served_profile(served)
        if not thinks and profile.thinking_off == {}:
            raise NotDone(f"{profile.name} always thinks: its template has no switch for it.")
        settings = self._at_prompt.settings
        chosen = replace(settings, enable_thinking=thinks)
        before, after = (
            request_params(one, served).get("chat_template_kwargs", {})
            for one in (settings, chosen)
        )
        if before == after:
            raise NotDone(f"Thinking is {_STATES[thinks]} already.")
        effect = await thinking_effect(session.render, served.name, before, after)
        if effect == "nothing":
            raise NotDone(_no_effect(served, thinks))
        await self._change(chosen)
        self._at_prompt.say(f"Thinking is {_STATES[thinks]}. {_WRITES[effect]}", BREAK)

    def show_thinking(self) -> None:
        """Print whether the model thinks."""
        state = _STATES[self._at_prompt.settings.enable_thinking]
        self._at_prompt.say(f"Thinking is {state}. /think on and /think off change it.")

    async def _before(self) -> ServedModel | None:
        """Return the model of the session, where its server still says what it is."""
        try:
            return await or_not_done(self._session.served())
        except NotDone:
            return None

    async def _change(self, settings: Settings) -> ServedModel:
        served = await or_not_done(self._session.change_model(settings))
        self._at_prompt.model_changed(self._session, served)
        return served

    @property
    def _session(self) -> Session:
        opened = self._at_prompt.opened
        assert opened is not None, "commands wait for the session"
        return opened


def _no_effect(served: ServedModel, thinks: bool) -> str:
    name = one_line(served.name, 60)
    if thinks:
        return f"{name} thinks already, or its template has no switch for it: nothing changes."
    return f"The template of {name} writes the same without thinking: it has no switch for it."


def _differences(
    settings: Settings, before: ServedModel | None, after: ServedModel
) -> Iterator[str]:
    """Yield what else is different: the context, how prompts are sent, and in which form."""
    if before is None:
        return
    lengths = [_length(settings, one) for one in (before, after)]
    if lengths[0] != lengths[1]:
        yield "Context: {} → {} tokens.".format(*(_number(one) for one in lengths))
    ways = [_way(one) for one in (before, after)]
    if ways[0] != ways[1]:
        yield "Prompts: {} → {}.".format(*ways)
    forms = [served_profile(one).name for one in (before, after)]
    if forms[0] != forms[1]:
        yield "Model family: {} → {}.".format(*forms)


def _length(settings: Settings, served: ServedModel) -> int | None:
    profile = served_profile(served)
    return context_length(settings.context_length, served.context_length, profile.context_length)


def _number(length: int | None) -> str:
    return "unknown" if length is None else f"{length:,}"


def _way(served: ServedModel) -> str:
    return f"as ids ({served.wire.form.name})" if served.wire else "as messages"
