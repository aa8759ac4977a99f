"""Figures over recordings, as a picture for a paper (needs matplotlib)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sii_cli.errors import UsageError
from sii_cli.text.sanitise import one_line

SUFFIXES = (".png", ".svg", ".pdf")
_TOOLS = 10
_COLOUR = "#4C72B0"
_LIMI = "#C44E52"


def plot_stats(summary: dict[str, Any], path: Path) -> None:
    """Draw a summary into a file; its suffix says the format. The same figures, the same bytes.

    Raises `UsageError` when matplotlib is missing or the suffix is none of `SUFFIXES`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path} must end with {', '.join(SUFFIXES)}.")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError(
            "Plots need matplotlib: install it with `pip install 'sii-cli[plot]'`."
        ) from None
    with matplotlib.rc_context({"svg.hashsalt": "sii", "font.size": 9}):
        figure = Figure(figsize=(9, 6.4), layout="constrained")
        axes = figure.subplots(2, 2)
        _draw_tokens(axes[0][0], summary)
        _draw_bars(axes[0][1], _calls(summary), "Calls by tool")
        _draw_bars(axes[1][0], summary["outcome"], "How sessions ended")
        _draw_bars(axes[1][1], summary["approval"], "Approval")
        figure.suptitle(f"{summary['recordings']:,} trajectories")
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else None
        figure.savefig(path, dpi=200, metadata=metadata)


def _draw_tokens(axis: Any, summary: dict[str, Any]) -> None:
    pairs = summary["tokens"]["histogram"]
    labels = [f"{begin // 1000}k" if begin else "0" for begin, _ in pairs]
    axis.bar(range(len(pairs)), [count for _, count in pairs], align="edge", color=_COLOUR)
    axis.set_xticks(range(len(pairs)), labels)
    axis.yaxis.get_major_locator().set_params(integer=True)
    for name, value in summary["limi_tokens"].items():
        axis.axvline(_place(value, [begin for begin, _ in pairs]), color=_LIMI, linestyle="--")
        axis.annotate(
            f"LIMI {name}",
            (_place(value, [begin for begin, _ in pairs]), 1),
            xycoords=("data", "axes fraction"),
            rotation=90,
            va="top",
            ha="right",
            fontsize=7,
            color=_LIMI,
        )
    axis.set_title("Tokens a trajectory")


def _place(value: float, begins: list[int]) -> float:
    """Return where a value stands on an axis whose bars have unequal widths."""
    bar = max(place for place, begin in enumerate(begins) if begin <= value)
    end = begins[bar + 1] if bar + 1 < len(begins) else 2 * begins[bar]
    return bar + (value - begins[bar]) / (end - begins[bar])


def _draw_bars(axis: Any, counts: dict[str, int], title: str) -> None:
    items = list(counts.items())[:_TOOLS][::-1]
    # A dollar sign would begin a formula.
    names = [one_line(name, 24).replace("$", r"\$") for name, _ in items]
    axis.barh(range(len(items)), [count for _, count in items], color=_COLOUR)
    axis.set_yticks(range(len(items)), names)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set_title(title)


def _calls(summary: dict[str, Any]) -> dict[str, int]:
    return {name: one["calls"] for name, one in summary["calls"].items()}
