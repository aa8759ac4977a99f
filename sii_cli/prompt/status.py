"""The lines of `/status`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sii_cli import __version__
from sii_cli.agent.context.compaction import Compactor
from sii_cli.config.settings import Settings
from sii_cli.render.activity import Activity


def status_lines(
    settings: Settings,
    activity: Activity,
    facts: Mapping[str, str],
    context: Compactor | None,
    parts: Mapping[str, int],
) -> Iterator[str]:
    """Yield the lines; `facts` are those of the session, `parts` the tokens of what the model
    reads, by what they are of.
    """
    usage = activity.usage
    rows = {
        "version": __version__,
        "session": facts["session"],
        "recording": facts["recording"],
        "workspace": str(settings.workspace),
        "server": facts["server"],
        "model": facts["model"],
        "sandbox": f"{settings.sandbox} · {settings.image} · {facts['sandbox']}",
        "steps": str(activity.steps),
        "tokens": f"{usage.prompt_tokens:,} read, {usage.completion_tokens:,} written",
        "context": "–" if context is None else _context(context),
    }
    for name, value in rows.items():
        yield f"{name:<10} {value}"
    for part, count in parts.items():
        yield f"  {part:<15} {count:>9,}"


def _context(context: Compactor) -> str:
    rest = "" if context.context.compact else ", compact is off"
    kept = f"{context.budget.answer:,} kept for an answer"
    return f"{context.fill} · {kept} · counted by {context.context.counted_by}{rest}"
