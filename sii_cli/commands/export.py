"""`sii export`: approved recordings → fine-tuning data."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recordings.export.registry import TARGETS, find_target
from recordings.reviews.protocol import POLICIES
from sii_cli import __version__
from sii_cli.config.settings import find_key_home
from sii_cli.errors import SiiError, UsageError
from sii_cli.options.filters import filter_options_but, make_filter, open_indexes
from sii_cli.options.protocol import load_protocol
from sii_cli.options.recordings import open_stores
from sii_cli.options.settings import example, load_for_recordings
from sii_cli.options.standings import STANDINGS

if TYPE_CHECKING:
    from recordings.export.plan import ChosenPair, ChosenRecording, ExportOptions
    from recordings.export.report import ExportReport
    from recordings.export.target import ExportTarget
    from recordings.index.find import FoundRecording
    from recordings.reviews.agreement_report import AgreementReport
    from recordings.reviews.protocol import ReviewProtocol
    from recordings.samples.sample import LeftOut
    from sii_cli.tokenizer.chat_template import ChatTemplate

FORMATS = tuple(name.replace("_", "-") for name in TARGETS)


@click.command(
    "export",
    help="Write approved recordings as fine-tuning data into the folder OUT, which is made: the "
    "rows, where each comes from, what was left out and why, a manifest and a data set's card. "
    "The options of `sii list` choose recordings.",
    epilog=example(
        "sii export data --format tokens",
        "sii export data --format slime --with-script --query q7 --max-tokens 131072",
        "sii export data --format messages --split 0.1 --dedupe near --license apache-2.0",
        "sii export data --format preference --home runs/monday --pairs runs/monday/pairs.jsonl",
    ),
)
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), required=True, help="Output format."
)
@click.option("--approved", is_flag=True, help="Approved recordings only: the default.")
@click.option("--all", "everything", is_flag=True, help="All recordings, approved or not.")
@click.option(
    "--pairs",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="For preference: the pairs that `sii batch --keep` wrote. Without it: what reviewers "
    "approved over what they rejected, of the same forks or the same query of a batch.",
)
@click.option("--parquet", is_flag=True, help="Parquet instead of JSON lines, for tokens.")
@click.option("--with-script", is_flag=True, help="A launch script beside the data, for slime.")
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    metavar="N",
    help="Leave out samples of more token ids (LIMI: 131072).",
)
@click.option(
    "--split",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    metavar="SHARE",
    help="Share for validation; what belongs together stays together.",
)
@click.option(
    "--dedupe",
    type=click.Choice(["off", "exact", "report", "near"]),
    default="exact",
    help="Drop samples that are the same (exact, the default), name those nearly so (report), "
    "drop them too (near).",
)
@click.option(
    "--human-text",
    type=click.Choice(["train", "mask", "drop"]),
    default="mask",
    help="What annotators wrote for the model; drop also leaves out what follows it.",
)
@click.option("--mask-failed", is_flag=True, help="Do not train steps whose calls failed.")
@click.option(
    "--mask-unsourced",
    is_flag=True,
    help="Do not train answers, and steps that write a report, with an address, paper, file or "
    "number that no opened source has.",
)
@click.option("--train-repeated", is_flag=True, help="Train steps that repeat others too.")
@click.option("--train-compaction", is_flag=True, help="Train the model's summaries too.")
@click.option(
    "--train-refused", is_flag=True, help="Train steps with a call that was not permitted, too."
)
@click.option(
    "--train-after-outage",
    is_flag=True,
    help="Train also what follows a call that failed for a reason of the installation, in its "
    "round (tool_infra).",
)
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="The model's folder: renders what has no token ids through its chat template, and checks "
    "what has.",
)
@click.option(
    "--policy",
    type=click.Choice(POLICIES),
    help="Which verdicts approve, instead of the policy of review.toml.",
)
@click.option(
    "--within-team",
    is_flag=True,
    help="Also what its speaker does not let leave the team: the export stays in it.",
)
@click.option("--license", "license_", metavar="NAME", help="Of recordings that name none.")
@filter_options_but("tokens")
def command(out: Path, format_: str, approved: bool, everything: bool, **options: Any) -> None:
    """Export recordings."""
    from recordings.export.files import ExportFailed
    from recordings.export.run import export
    from recordings.trust.exports import note_export
    from sii_cli.options.secrets import make_finder

    target = find_target(format_.replace("-", "_"))
    _refuse(target, format_, everything=everything, approved=approved, options=options)
    protocol = load_protocol(options.pop("policy"))
    if not (everything or target.of_pairs):
        options["approval"] = options["approval"] or "approved"
    try:
        units, left_out = _units(target, options, protocol, everything=everything)
        if not units and options["approval"] == "approved":
            others = _sources(options | {"approval": None}, protocol)
            _tell_standings(others)
            _tell_uncounted(sum(one.uncounted for one in others))
        agreement = _agreement(options, protocol)
        with _stoppable(options["tokenizer"]):
            report = export(
                units,
                out,
                target,
                replace(_export_options(options, protocol), agreement=agreement),
                make_finder((), entropy=False),
                made_by=f"sii {__version__}",
                left_out=left_out,
            )
    except ExportFailed as error:
        raise SiiError(str(error)) from None
    exported = [one["id"] for one in report.recordings if one["samples"]]
    note_export(find_key_home(os.environ), out, exported)
    _tell(report, out)


def _stoppable(tokenizer: Path | None) -> AbstractContextManager[None]:
    """Let Ctrl-C end the chat template of a model's folder, which may compute without an end."""
    if tokenizer is None:
        return nullcontext()
    from sii_cli.session import watchdog

    return watchdog.watched()


def _refuse(
    target: ExportTarget[Any],
    format_: str,
    *,
    everything: bool,
    approved: bool,
    options: dict[str, Any],
) -> None:
    """Refuse options that do not go together. Raises `UsageError`."""
    if everything and (approved or options["approval"]):
        raise UsageError("Say --all or --approved, not both.")
    if options["parquet"] and target.schema is None:
        raise UsageError(f"--format {format_} has no parquet form: tokens and verl have.")
    if options["with_script"] and not target.launch:
        raise UsageError(f"--format {format_} has no launch script: slime has.")
    if options["tokenizer"] and target.by != "ids":
        raise UsageError(f"--format {format_} holds messages: --tokenizer is for tokens and slime.")
    if options["pairs"] and not target.of_pairs:
        raise UsageError(f"--format {format_} holds no pairs: --pairs is for preference.")
    if target.of_pairs and options["approval"]:
        raise UsageError(
            "--approval is not for pairs: the better recording is approved, the other need not be."
        )
    if target.of_pairs and everything and not options["pairs"]:
        raise UsageError(
            "Without --pairs FILE reviewers say which recording is the better: leave out --all."
        )


def _units(
    target: ExportTarget[Any],
    options: dict[str, Any],
    protocol: ReviewProtocol,
    *,
    everything: bool,
) -> tuple[Sequence[ChosenRecording | ChosenPair], list[LeftOut]]:
    """Return what is exported, and what is known already to be left out."""
    from recordings.export.pairs import choose_pairs, read_pairs, reviewed_pairs
    from recordings.samples.sample import LeftOut
    from sii_cli.options.consents import consented, tell_staying

    chosen = _sources(options, protocol)
    sources, refused = consented(chosen, within_team=options["within_team"])
    tell_staying(refused)
    if not target.of_pairs:
        return sources, refused
    if options["pairs"] is None:
        return reviewed_pairs(sources), refused
    named = read_pairs(options["pairs"])
    stores = open_stores()
    known = {name for store in stores for name in store.ids()}
    by_id = {source.id: source for source in sources}
    found = list(choose_pairs(named, by_id, known, approved=not everything))
    pairs = [one for one in found if not isinstance(one, LeftOut)]
    left_out = [*refused, *(one for one in found if isinstance(one, LeftOut))]
    if left_out and not pairs and all(one.reason == "missing" for one in left_out):
        raise SiiError(
            f"The recordings of {options['pairs']} are not in {stores[0].root}: say where they "
            f"are, with `--home {options['pairs'].parent}`."
        )
    return pairs, left_out


def _sources(options: dict[str, Any], protocol: ReviewProtocol) -> list[ChosenRecording]:
    from recordings.export.plan import ChosenRecording
    from recordings.index.find import find_in
    from recordings.pins import read_facts

    where = make_filter({name: value for name, value in options.items() if name != "max_tokens"})
    with open_indexes() as indexes:
        found = find_in(indexes, where, protocol=protocol)
    _refuse_same_ids(found)
    return [
        ChosenRecording(
            folder=one.summary.folder,
            sha256=one.sha256,
            approval=one.approval,
            reviewers=one.reviewers,
            dissent=one.dissent,
            query=one.query,
            batch=one.batch,
            parent=one.parent,
            first_message=one.summary.first_message,
            uncounted=one.uncounted,
            facts=read_facts(one.facts),
            outcome=one.summary.session_outcome,
            score=one.summary.score,
            check=one.check,
            rubric=one.rubric,
            excluded=one.excluded,
        )
        for one in found
    ]


def _agreement(options: dict[str, Any], protocol: ReviewProtocol) -> AgreementReport | None:
    """Return how far the reviewers of the chosen recordings agree, whether approved or not."""
    from recordings.index.find import find_in
    from sii_cli.review.agreement import agreement_on

    names = options.keys() - {"max_tokens", "approval"}
    with open_indexes() as indexes:
        found = find_in(indexes, make_filter({name: options[name] for name in names}))
    least = 1 if protocol.coverage_floor else 2
    if not any(len(one.reviewers) >= least for one in found):
        return None
    return agreement_on(found, protocol)


def _refuse_same_ids(found: Sequence[FoundRecording]) -> None:
    """Raise `SiiError` for an id that is in two places."""
    places: dict[str, Path] = {}
    for one in found:
        first = places.setdefault(one.summary.id, one.summary.folder)
        if first != one.summary.folder:
            raise SiiError(
                f"Two recordings are called {one.summary.id} ({first} and {one.summary.folder}): "
                "choose those of one batch (--batch NAME), or delete one."
            )


def _export_options(options: dict[str, Any], protocol: ReviewProtocol) -> ExportOptions:
    from recordings.export.plan import ExportOptions
    from recordings.samples.policy import SamplePolicy
    from recordings.store.collection import home_of
    from sii_cli.config.home_key import review_keys

    keys = cache(review_keys)
    policy = SamplePolicy(
        human_text=options["human_text"],
        failed_calls="mask" if options["mask_failed"] else "train",
        repeated="train" if options["train_repeated"] else "mask",
        compaction="train" if options["train_compaction"] else "mask",
        after_outage="train" if options["train_after_outage"] else "mask",
        unsourced="mask" if options["mask_unsourced"] else "train",
        refused="train" if options["train_refused"] else "mask",
    )
    return ExportOptions(
        policy=policy,
        max_tokens=options["max_tokens"],
        validation=options["split"],
        dedupe=options["dedupe"],
        parquet=options["parquet"],
        with_script=options["with_script"],
        license=options["license_"],
        renderer=_renderer(options["tokenizer"]),
        protocol=protocol,
        pins=load_for_recordings().pins,
        keys_of=lambda folder: keys(home_of(folder)),
    )


def _renderer(folder: Path | None) -> ChatTemplate | None:
    from sii_cli.tokenizer.chat_template import ChatTemplate
    from sii_cli.tokenizer.tokenizer_file import UnknownTokenizer

    try:
        return ChatTemplate(folder) if folder else None
    except UnknownTokenizer as error:
        raise UsageError(f"--tokenizer: {error}.") from None


def _tell_standings(sources: list[ChosenRecording]) -> None:
    """Say where the recordings stand of which none is approved."""
    counts = Counter(STANDINGS[one.approval].label or "not judged" for one in sources)
    if counts:
        told = ", ".join(f"{label} {count:,}" for label, count in counts.most_common())
        click.echo(f"no recording is approved: {told} (`sii reviews ID` says why)", err=True)


def _tell_uncounted(count: int) -> None:
    """Say that reviews from elsewhere do not count, where there are any."""
    from sii_cli.render.figures import counted

    if count:
        click.echo(
            f"{counted(count, 'review', 'reviews')} not counted: not written by this home, nor "
            "signed with a key that it knows (`sii trust ID --reviews` counts them)",
            err=True,
        )


def _tell(report: ExportReport, out: Path) -> None:
    from sii_cli.render.figures import counted

    tokens = sum(report.lengths)
    click.echo(
        f"{counted(report.samples, 'sample', 'samples')} from "
        f"{counted(len(report.recordings), 'recording', 'recordings')} in {out}: "
        f"{report.steps:,} trained steps"
        + (f", {tokens:,} tokens of which {report.trained:,} are trained" if tokens else "")
    )
    _tell_uncounted(report.uncounted)
    if len(report.prompts) > 1:
        click.echo(
            f"{len(report.prompts)} combinations of system prompt and tools are in it: "
            f"{_counts(report.prompts)}",
            err=True,
        )
    if report.departures:
        click.echo(f"depart from the pins: {_counts(report.departures)}", err=True)
    if report.rendered:
        click.echo(f"rendered from messages, not the server's ids: {report.rendered:,}", err=True)
    if report.drift:
        click.echo(
            f"drift: of {report.compared:,} samples with ids {len(report.drift):,} would be "
            "rendered otherwise; their own ids are exported",
            err=True,
        )
    for name, size in report.over_length:
        click.echo(f"over the limit: {name} ({size:,} tokens)", err=True)
    for name, other, likeness in report.near:
        click.echo(f"nearly the same: {name} and {other} ({likeness:.0%})", err=True)
    if report.left_out:
        counts = _counts(report.left_out)
        click.echo(f"left out: {counts} (see {out / 'left_out.jsonl'})", err=True)


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
