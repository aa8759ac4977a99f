"""Figures over recordings, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sii_cli.render.figures import counted
from sii_cli.text.sanitise import one_line

_BAR = 40
"""Columns of the longest bar."""
_GROUPS = 12
"""The most models, queries or batches that are listed."""


def stats_lines(summary: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a summary (`recordings.index.stats.summarise_all`)."""
    yield counted(summary["recordings"], "recording", "recordings")
    if summary["unread"]:
        yield f"{summary['unread']:,} could not be read: `sii verify --all` says why"
    yield from _tokens(summary["tokens"], summary["limi_tokens"])
    yield ""
    yield f"{'':<14}{'min':>10}{'median':>10}{'mean':>10}{'max':>10}"
    for name in ("steps", "rounds", "seconds"):
        yield from _spread(name, summary[name])
    if any(summary["interventions"].values()):
        yield from _spread("interventions", summary["interventions"])
    yield from _spread("rounds to done", summary["rounds_until_done"])
    yield from _calls(summary)
    yield ""
    yield f"outcome    {_counts(summary['outcome'])}"
    if summary["state"].keys() != {"ended"}:
        yield f"state      {_counts(summary['state'])}"
    if summary["score"]:
        spread = ", ".join(f"{name} {value:.2f}" for name, value in summary["score"].items())
        yield f"score      {spread}"
    signed_off = summary["signed_off"]
    if signed_off:
        done, not_done = signed_off.get("approve", 0), signed_off.get("reject", 0)
        yield f"sign-off   done {done:,}, not done {not_done:,} (practitioners)"
    if summary["excluded_events"]:
        yield f"excluded   {counted(summary['excluded_events'], 'event', 'events')} by reviewers"
    approved = summary["approval_yield"]
    share = "" if approved is None else f"  ({approved:.0%} of those judged are approved)"
    yield f"approval   {_counts(summary['approval'])}{share}"
    for name, groups in summary["by"].items():
        yield from _groups(name, groups)


def _spread(name: str, spread: dict[str, float]) -> Iterator[str]:
    if spread:
        cells = "".join(f"{spread[key]:>10,.6g}" for key in ("min", "median", "mean", "max"))
        yield f"{name:<14}{cells}"


def _tokens(tokens: dict[str, Any], limi: dict[str, int]) -> Iterator[str]:
    yield ""
    yield f"{'tokens a trajectory':<22}{'min':>10}{'mean':>12}{'max':>10}"
    if "min" in tokens:
        yield f"{'here':<22}{tokens['min']:>10,}{tokens['mean']:>12,.0f}{tokens['max']:>10,}"
    yield f"{'LIMI':<22}{limi['min']:>10,}{limi['mean']:>12,}{limi['max']:>10,}"
    bars = [pair for pair in tokens["histogram"] if pair[1]]
    if not bars:
        return
    yield ""
    most = max(count for _, count in bars)
    first, last = bars[0][0], bars[-1][0]
    for begin, count in tokens["histogram"]:
        if first <= begin <= last:
            bar = "█" * max(bool(count), round(_BAR * count / most))
            yield f"  from {begin:>7,}  {bar} {count:,}"


def _calls(summary: dict[str, Any]) -> Iterator[str]:
    if summary["calls"]:
        yield ""
        yield f"{'tool':<20}{'calls':>10}{'failed':>10}"
    for name, one in summary["calls"].items():
        share = one["failed"] / one["calls"]
        yield f"{one_line(name, 19):<20}{one['calls']:>10,}{one['failed']:>10,}  {share:.1%}"
    if summary["errors"]:
        yield f"errors     {_counts(summary['errors'])}"
    outages = summary["outages"]
    if outages["calls"]:
        calls = counted(outages["calls"], "call", "calls")
        where = counted(outages["recordings"], "recording", "recordings")
        yield f"outages    {calls} of {where} failed for a reason of the installation (tool_infra)"
    evidence = summary["evidence"]
    if evidence["recordings"]:
        where = counted(evidence["recordings"], "recording", "recordings")
        yield (
            f"evidence   of {counted(evidence['claims'], 'claim', 'claims')} "
            f"{evidence['no_source']:,} without a source, {evidence['never_opened']:,} cited and "
            f"never opened, in {where}"
        )


def _groups(name: str, groups: dict[str, Any]) -> Iterator[str]:
    if len(groups) < 2:
        return
    yield ""
    yield f"{name:<28}{'recordings':>11}{'tokens':>10}{'steps':>8}{'errors':>8}{'approved':>10}"
    ordered = sorted(groups.items(), key=lambda pair: -pair[1]["recordings"])
    for label, one in ordered[:_GROUPS]:
        tokens = one["tokens"].get("mean", 0)
        rate = "" if one["error_rate"] is None else f"{one['error_rate']:.1%}"
        approved = one["approval"].get("approved", 0)
        yield (
            f"{one_line(label, 27):<28}{one['recordings']:>11,}{tokens:>10,.0f}"
            f"{one['steps'].get('mean', 0):>8,.1f}{rate:>8}{approved:>10,}"
        )
    if len(groups) > _GROUPS:
        yield f"… {len(groups) - _GROUPS} more (--json has them all)"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{one_line(name, 40)} {count:,}" for name, count in counts.items()) or "none"
