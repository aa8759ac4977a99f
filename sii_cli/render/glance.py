"""A collection at a glance, as lines for a terminal of any width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from recordings.index.glance import Glance
from recordings.outcomes import UNREADABLE_STATES
from sii_cli.render.figures import counted
from sii_cli.text.sanitise import one_line

_LABEL = 12
"""Columns of what a line is about."""
_NARROW = 50
"""Columns below which a label has a line of its own."""
_MOST_BATCHES = 12


def glance_lines(
    name: str, seen: Glance, goal: int | None, commands: Sequence[tuple[str, str]], width: int
) -> Iterator[str]:
    """Yield the lines; `commands` are what to do next, each with its reason."""
    yield from _broken(_headline(name, seen, goal), width)
    rows = [
        ("queries", f"{seen.queries:,} in use" if seen.queries else "none in use"),
        ("sessions", _sessions(seen)),
        *_batches(seen),
        ("approvals", _counts(seen.standings)),
        *_reviews(seen),
        ("tokens", _tokens(seen)),
        *_doubts(seen),
    ]
    for label, text in rows:
        yield from _row(label, text, width)
    for number, (command, why) in enumerate(commands):
        yield from _command("" if number else "next", command, why, width)


def _headline(name: str, seen: Glance, goal: int | None) -> str:
    approved = seen.standings["approved"]
    parts = [name]
    if goal is not None:
        parts.append(f"goal {goal:,} approved")
    parts.append(f"{approved:,} approved" + (f" ({approved / goal:.0%})" if goal else ""))
    if seen.standings["disputed"]:
        parts.append(f"{seen.standings['disputed']:,} disputed")
    return " · ".join(parts)


def _sessions(seen: Glance) -> str:
    parts = [f"{mode} {count:,}" for mode, count in seen.modes.most_common()]
    if seen.batches:
        of_batches = sum(outcomes.total() for outcomes in seen.batches.values())
        parts.append(f"batch {of_batches:,}")
    return " · ".join(parts) or "none"


def _batches(seen: Glance) -> Iterator[tuple[str, str]]:
    for number, (name, outcomes) in enumerate(seen.batches.items()):
        if number == _MOST_BATCHES:
            more = len(seen.batches) - _MOST_BATCHES
            yield "", f"and {counted(more, 'more batch', 'more batches')} (--json has them all)"
            return
        yield "batches" if not number else "", f"{one_line(name, 60)}  {_counts(outcomes)}"


def _reviews(seen: Glance) -> Iterator[tuple[str, str]]:
    if seen.set_aside:
        reasons = {name: count for name, count in seen.set_aside.items() if name != "all"}
        yield "set aside", f"{seen.set_aside['all']:,}, given to no reviewer: {_counts(reasons)}"
    if seen.reviewers:
        yield "reviewers", _counts(seen.reviewers)
    if seen.agreement is not None:
        yield "agreement", seen.agreement.words


def _tokens(seen: Glance) -> str:
    limi = seen.limi
    beside = f"LIMI {_short(limi['min'])} / mean {_short(limi['mean'])} / {_short(limi['max'])}"
    if not seen.tokens:
        return f"no trajectory yet ({beside})"
    least, middle, most = (_short(seen.tokens[name]) for name in ("min", "median", "max"))
    return f"a trajectory has {least} / median {middle} / {most} ({beside})"


def _doubts(seen: Glance) -> Iterator[tuple[str, str]]:
    if seen.departing:
        count = counted(seen.departing, "session departs", "sessions depart")
        yield "pins", f"{count} from them: {_counts(seen.departures)}"
    elif seen.prompts > 1:
        yield "pins", f"{seen.prompts} combinations of system prompt and tools are in it"
    unread: dict[str, int] = {
        name: seen.states[name] for name in UNREADABLE_STATES if seen.states[name]
    }
    if unread:
        yield "unreadable", _counts(unread)


def _counts(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return " · ".join(f"{one_line(name, 40).replace('_', ' ')} {n:,}" for name, n in ordered) or "–"


def _short(tokens: float) -> str:
    return f"{tokens:,.0f}" if tokens < 1000 else f"{tokens / 1000:,.1f}k".replace(".0k", "k")


def _row(label: str, text: str, width: int) -> Iterator[str]:
    """Yield a row; what does not fit is below its text, and on a narrow screen below its label."""
    if width < _NARROW:
        if label:
            yield label
        label, indent = "", 2
    else:
        indent = _LABEL
    lead = f"{label:<{indent}}"
    for line in _broken(text, width - indent):
        yield lead + line
        lead = " " * indent


def _command(label: str, command: str, why: str, width: int) -> Iterator[str]:
    """Yield a command, whole in its line, and why it is the next one."""
    indent = 2 if width < _NARROW else _LABEL
    if width < _NARROW and label:
        yield label
        label = ""
    lead = f"{label:<{indent}}{command}"
    if len(lead) + len(why) + 3 <= width:
        yield f"{lead}   {why}"
        return
    yield lead
    for line in _broken(why, width - indent - 2):
        yield " " * (indent + 2) + line


def _broken(text: str, room: int) -> Iterator[str]:
    from sii_cli.render.wrap import break_line

    while text:
        line, text = break_line(text, max(1, room))
        yield line
