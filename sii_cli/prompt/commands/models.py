"""Commands on the model and on how it thinks."""

from __future__ import annotations

from sii_cli.prompt.slash import SlashCommand, SlashPrompt, Words


async def _model(prompt: SlashPrompt, words: str) -> None:
    choice = prompt.session.choice
    if not words:
        now = prompt.session.model
        rows = [
            (name, f"{name} (now)" if name == now else name, "") for name in await choice.names()
        ]
        words = await prompt.pick("Continue with a model", rows) or ""
    if words:
        await choice.choose(words)


async def _think(prompt: SlashPrompt, words: str) -> None:
    if words:
        await prompt.session.choice.think(words == "on")
    else:
        prompt.session.choice.show_thinking()


MODEL = SlashCommand(
    "continue with another model of the server: chosen from a list, or by its name",
    _model,
    Words("nothing, or a model's name", lambda words: len(words.split()) < 2),
)
THINK = SlashCommand(
    "say whether the model thinks; /think on and /think off change it",
    _think,
    Words("`on`, `off` or nothing", lambda words: words in ("", "on", "off")),
)
