"""Opens a batch: what the command line asks for, and the user's grant of what it requires."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from recordings.trust.grants import grant, is_granted
from sandbox.own_folder import OwnFolder
from sii_cli.batch.options import BatchOptions
from sii_cli.batch.plan.pinned import PinnedBatch, check_is_new, is_batch, load_pinned, refuse_links
from sii_cli.batch.plan.pinned_settings import NOTHING_PINNED, PinnedSettings
from sii_cli.batch.plan.plan import BatchPlan, differences, pinned_settings, sha256_of
from sii_cli.batch.plan.requirements import plan_requirements
from sii_cli.config.home_key import reading_key
from sii_cli.config.settings import Settings, find_home, find_key_home
from sii_cli.errors import UsageError
from sii_cli.options.allow import require_grants
from sii_cli.options.settings import load
from sii_cli.queries.queries import Query
from sii_cli.queries.requirements import lowered, requirements_of_all
from sii_cli.queries.validate import (
    ValidatedFile,
    allowed_sources,
    check_data,
    check_outside,
)
from sii_cli.trust.requirements import Grants, Requirement


@dataclass(frozen=True, slots=True)
class Batch:
    """What is to be run; the user granted all that it requires."""

    folder: Path
    settings: Settings
    """`home` is the batch's folder."""
    plan: BatchPlan
    queries: Sequence[Query]
    own: bool
    """It was not begun by another home."""
    options: BatchOptions
    is_changed: bool
    """The folder does not hold this plan yet."""


@dataclass(frozen=True, slots=True)
class _Given:
    """What a batch is opened from."""

    folder: Path
    file: ValidatedFile | None
    pinned: PinnedBatch | None
    """What the folder holds of a batch that is resumed."""

    @property
    def queries(self) -> Sequence[Query]:
        if self.file is not None:
            return self.file.queries
        return self.pinned.queries if self.pinned else ()

    @property
    def base(self) -> Path:
        """Paths in the queries are relative to it."""
        if self.file is not None:
            return self.file.path.absolute().parent
        return Path(self.pinned.plan.query_folder) if self.pinned else Path()

    @property
    def own(self) -> bool:
        return self.pinned is None or self.pinned.own


def open_batch(options: BatchOptions, file: ValidatedFile | None) -> Batch:
    """Return the batch that a command line means.

    `file` has no mistakes. Raises `UsageError`, also for what the batch requires and the user does
    not grant.
    """
    folder = _folder(options, file)
    pinned = load_pinned(folder, reading_key()) if options.resume is not None else None
    given = _Given(folder, file, pinned)
    queries, base = given.queries, given.base
    sources = file.sources if file else allowed_sources(queries, base)
    inherited = PinnedSettings.of(pinned.plan, options.flags) if pinned else NOTHING_PINNED
    if given.own:
        settings = inherited.unset_in(_load(inherited.with_flags(options.flags), folder))
        required = requirements_of_all(queries, sources, settings)
    else:
        settings = _load(options.flags, folder)
        inherited = inherited.lowered_to(settings)
        vary = pinned.plan.vary if pinned and not options.vary else {}
        required = plan_requirements(base, queries, sources, inherited, vary, settings)
    _ask_for_grants(given, required, inherited, options)
    if not given.own:  # only now: paths in these settings are looked at
        settings = _load(inherited.with_flags(options.flags), folder)
    check_outside(queries, sources, base)
    data_sets = check_data(queries, settings)
    for line in lowered(queries, settings):
        click.echo(f"sii: {line}", err=True)
    plan = _plan(given, settings, options, data_sets)
    plan = replace(plan, allowed=sorted((one.kind, one.value) for one in required))
    _check_feedback(plan, options)
    _check_sent_back(plan, options, own=given.own)
    is_changed = file is not None or options.accept_changes or not given.own
    return Batch(folder, settings, plan, queries, given.own, options, is_changed)


def query_requirements(file: ValidatedFile, flags: Mapping[str, Any]) -> Counter[Requirement]:
    """Return what a query file requires beyond the user's own settings."""
    settings = _load(flags, file.path.absolute().parent)
    return requirements_of_all(file.queries, file.sources, settings)


def _folder(options: BatchOptions, file: ValidatedFile | None) -> Path:
    if options.resume is not None:
        if not is_batch(options.resume):
            raise UsageError(
                f"{options.resume} is not the folder of a batch: begin one with `sii batch FILE`."
            )
        return options.resume.absolute()
    out = options.out
    if out is None:
        assert file is not None
        stamp = time.strftime("%Y%m%d-%H%M%S")
        out = find_home(os.environ) / "batches" / f"{file.path.stem}-{stamp}"
    check_is_new(out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is not a directory: name another with --out DIR.")
    refuse_links(out)
    return out.absolute()


def _load(flags: Mapping[str, Any], folder: Path) -> Settings:
    """Return the settings of all sessions. The workspace of each comes from its query."""
    with OwnFolder("nowhere") as nowhere:
        settings = load({**flags, "workspace": str(nowhere)})
    return replace(settings, home=folder, workspace=folder)


def _ask_for_grants(
    given: _Given,
    required: Counter[Requirement],
    inherited: PinnedSettings,
    options: BatchOptions,
) -> None:
    """Raise `UsageError` unless the user grants all that is required.

    A kept grant holds for exactly this content and what it requires.
    """
    home = find_key_home(os.environ)
    path = given.file.path if given.file else given.folder
    name = os.path.realpath(path)
    content = sha256_of(given.queries) + inherited.canonical()
    listed = "".join(f"{one.kind}\0{one.value}\0" for one in sorted(required))
    sha256 = hashlib.sha256(f"{content}\0{listed}".encode()).hexdigest()
    before = given.pinned.plan.granted if given.pinned and given.pinned.own else frozenset()
    require_grants(
        required,
        Grants(options.allow, before),
        of=str(path),
        was_granted=lambda: is_granted(home, "query_file", name, sha256),
        keep_grant=lambda: grant(home, "query_file", name, sha256),
    )


def _check_sent_back(plan: BatchPlan, options: BatchOptions, *, own: bool) -> None:
    """Raise `UsageError` for what does not go with sessions that were sent back."""
    if not plan.sent_back:
        return
    others = {
        "--keep": (options.selection.outcomes, "the best of each goes to review by itself"),
        "--feedback human": (plan.feedback, "the check says which is the best"),
        "--ray": (options.ray, "the sessions that they continue are on this machine"),
    }
    for other, (value, why) in others.items():
        if value:
            raise UsageError(f"With --sent-back {why}: leave {other} away.")
    if not own:
        raise UsageError(
            f"This home did not begin the batch {plan.name}, which continues sessions of another "
            "home: begin one here with `sii batch --sent-back`."
        )


def _check_feedback(plan: BatchPlan, options: BatchOptions) -> None:
    """Raise `UsageError` for options that do not go with a person's feedback."""
    if plan.feedback is None:
        return
    others = {
        "--simulate-user": plan.simulated_user,
        "--feedback-rounds": plan.feedback_rounds,
        "--ray": options.ray,
    }
    if other := next((name for name, value in others.items() if value), None):
        whys = {
            "--simulate-user": "a person writes the messages",
            "--feedback-rounds": "a person says when it is done",
            "--ray": "the workspaces are kept on this machine",
        }
        raise UsageError(f"With --feedback human {whys[other]}: leave {other} away.")


def _plan(
    given: _Given, settings: Settings, options: BatchOptions, data_sets: dict[str, str]
) -> BatchPlan:
    """Return what is to be run. Raises `UsageError` where it differs from what was pinned."""
    plan = BatchPlan(
        name=given.folder.name,
        query_file=str(given.file.path.absolute()) if given.file else "",
        query_folder=str(given.base),
        queries_sha256=sha256_of(given.queries),
        attempts=options.attempts or 1,
        vary=options.vary,
        feedback_rounds=options.feedback_rounds or 0,
        simulated_user=options.simulated_user,
        feedback=options.feedback,
        settings=pinned_settings(settings),
        data_sets=data_sets,
        sent_back=dict(options.sent_back),
    )
    if given.pinned is None:
        return plan
    before = given.pinned.plan
    plan = replace(
        plan,
        name=before.name,
        changed=time.time() if options.accept_changes else before.changed,
        query_file=plan.query_file or before.query_file,
        attempts=options.attempts or before.attempts,
        vary=options.vary or before.vary,
        feedback_rounds=(
            before.feedback_rounds if options.feedback_rounds is None else options.feedback_rounds
        ),
        simulated_user=(
            before.simulated_user if options.simulated_user is None else options.simulated_user
        ),
        feedback=options.feedback or before.feedback,
        sent_back=before.sent_back,
    )
    # An earlier version wrote queries with fewer fields; a foreign batch's settings are not kept.
    before = replace(before, queries_sha256=sha256_of(given.pinned.queries))
    if not given.pinned.own:
        before = replace(before, settings=plan.settings, data_sets=data_sets)
    changed = differences(before, plan)
    if changed and not options.accept_changes:
        raise UsageError(
            f"The batch in {given.folder} was begun otherwise: {'; '.join(changed)}. Run it as it "
            "was, or say --accept-changes."
        )
    return plan
