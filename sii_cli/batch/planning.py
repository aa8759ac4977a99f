"""What `sii batch` is to run, from a query file or a folder, and the user's word on it."""

from __future__ import annotations

import hashlib
import json
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
from sii_cli.batch.places import Homes, find_homes, never, places_of
from sii_cli.batch.plan import (
    UNPINNED,
    Pinned,
    Plan,
    differences,
    is_batch,
    load_pinned,
    pinned_settings,
    refuse_links,
    sha256_of,
)
from sii_cli.batch.plan_asks import lowered_to, plan_asks
from sii_cli.batch.query_asks import asks_of_all, lowered
from sii_cli.batch.vary import parse_vary
from sii_cli.batch.workspaces import fault_of
from sii_cli.config.home_key import reading_key
from sii_cli.config.settings import SETTING_NAMES, Settings, find_home, find_key_home
from sii_cli.config.values import PLACES
from sii_cli.errors import UsageError
from sii_cli.options.asking import read_kinds, settle
from sii_cli.options.settings import load
from sii_cli.queries.queries import Query
from sii_cli.queries.query_files import read_query_file
from sii_cli.trust.asks import Allowed, Ask


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be run; the user has allowed it."""

    folder: Path
    settings: Settings
    plan: Plan
    queries: Sequence[Query]
    own: bool
    """It was not begun by somebody else."""


def work_of(file: Path | None, options: dict[str, Any]) -> Work:
    """Return what a command line means. Raises `UsageError`, also for what nobody allowed."""
    folder = _folder(file, options)
    homes = find_homes(find_key_home(os.environ))
    pinned = load_pinned(folder, reading_key()) if options["resume"] is not None else None
    queries: Sequence[Query] = read_query_file(file).queries if file else ()
    if pinned is not None and file is None:
        queries = pinned.queries
    base = _base(file, pinned)
    flags = {name: options.get(name) for name in SETTING_NAMES}
    brought = _brought(pinned.plan, flags) if pinned else {}
    own = pinned is None or pinned.own
    if own:
        settings = _load(flags | brought, folder)
        asks = asks_of_all(queries, base, settings, homes)
    else:
        settings, brought = _lowered(flags, brought, folder)
        asks = plan_asks(base, queries, brought, settings, homes)
    _refuse(queries, base, homes)
    before = pinned.plan.asks if pinned and pinned.own else frozenset()
    said = sha256_of(queries) + json.dumps(brought, sort_keys=True, default=str)
    _settle(asks, before, file or folder, said, options)
    if not own:  # read when it is allowed: paths in it are looked at
        settings = _load(flags | brought, folder)
    _check_outside(queries, base, homes)
    for line in lowered(queries, settings):
        click.echo(f"sii: {line}", err=True)
    plan = _plan(file, folder, pinned, queries, settings, options)
    plan = replace(plan, allowed=sorted((ask.kind, ask.value) for ask in asks))
    return Work(folder, settings, plan, queries, own)


def query_asks(file: Path, options: Mapping[str, Any]) -> Counter[Ask]:
    """Return what a query file asks for beyond the user's own settings."""
    flags = {name: options.get(name) for name in SETTING_NAMES}
    queries, homes = read_query_file(file).queries, find_homes(find_key_home(os.environ))
    return asks_of_all(queries, file.absolute().parent, _load(flags, file.parent), homes)


def must_be_new(folder: Path) -> None:
    """Raise `UsageError` for a folder in which a batch has been begun."""
    if is_batch(folder):
        raise UsageError(f"{folder} holds a batch: go on with `sii batch --resume {folder}`.")


def _folder(file: Path | None, options: dict[str, Any]) -> Path:
    resumed: Path | None = options["resume"]
    if resumed is not None:
        if not is_batch(resumed):
            raise UsageError(f"{resumed} is no batch's folder: begin one with `sii batch FILE`.")
        return resumed.absolute()
    out: Path | None = options["out"]
    if out is None:
        assert file is not None
        stamp = time.strftime("%Y%m%d-%H%M%S")
        out = find_home(os.environ) / "batches" / f"{file.stem}-{stamp}"
    must_be_new(out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is not a directory: name another with --out DIR.")
    refuse_links(out)
    return out.absolute()


def _base(file: Path | None, pinned: Pinned | None) -> Path:
    """Return what paths in the queries count from."""
    if file is not None:
        return file.absolute().parent
    return Path(pinned.plan.query_folder) if pinned else Path()


def _brought(plan: Plan, flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pinned settings that hold where no flag is given."""
    return {
        name: value
        for name, value in plan.settings.items()
        if "flag" in PLACES.get(name, ()) and name not in UNPINNED and flags.get(name) is None
    }


def _lowered(
    flags: Mapping[str, Any], brought: dict[str, Any], folder: Path
) -> tuple[Settings, dict[str, Any]]:
    """Return the user's own settings, and what somebody else's plan would add to them."""
    own = _load(flags, folder)
    brought = lowered_to(own, brought)
    if set(brought.get("env") or ()) <= set(own.without_secrets()["env"]):
        brought.pop("env", None)  # the user's own have values
    return own, brought


def _load(flags: Mapping[str, Any], folder: Path) -> Settings:
    """Return the settings of all sessions. What each works in is its query's business."""
    with OwnFolder("nowhere") as nowhere:
        settings = load({**flags, "workspace": str(nowhere)})
    return replace(settings, home=folder, workspace=folder)


def _settle(
    asks: Counter[Ask],
    before: frozenset[Ask],
    of: Path,
    content: str,
    options: dict[str, Any],
) -> None:
    """Raise `UsageError` unless the user allows all that is asked for.

    A yes holds for exactly this `content` and what it asks for.
    """
    home = find_key_home(os.environ)
    name = os.path.realpath(of)
    listed = "".join(f"{ask.kind}\0{ask.value}\0" for ask in sorted(asks))
    said = hashlib.sha256(f"{content}\0{listed}".encode()).hexdigest()
    settle(
        asks,
        Allowed(read_kinds(options["allow"]), before),
        of=str(of),
        was_granted=lambda: is_granted(home, "query_file", name, said),
        keep_grant=lambda: grant(home, "query_file", name, said),
    )


def _refuse(queries: Sequence[Query], base: Path, homes: Homes) -> None:
    """Raise `UsageError` for a workspace that no query may have."""
    for query, place in zip(queries, places_of(queries, base, homes), strict=True):
        if why := never(query, place, homes):
            raise UsageError(f"{query.id}: workspace: {why}")


def _check_outside(queries: Sequence[Query], base: Path, homes: Homes) -> None:
    """Raise `UsageError` for a workspace outside the file's folder that is not there."""
    for query, place in zip(queries, places_of(queries, base, homes), strict=True):
        if place is not None and not place.inside and (fault := fault_of(query, base)):
            raise UsageError(f"{query.id}: workspace: {fault}")


def _plan(
    file: Path | None,
    folder: Path,
    pinned: Pinned | None,
    queries: Sequence[Query],
    settings: Settings,
    options: dict[str, Any],
) -> Plan:
    """Return what is to be run; a batch that goes on must be what was pinned."""
    before = pinned.plan if pinned else None
    plan = Plan(
        name=before.name if before else folder.name,
        query_file=str(file.absolute()) if file else before.query_file if before else "",
        query_folder=str(_base(file, pinned)),
        queries_sha256=sha256_of(queries),
        attempts=options["attempts"] or (before.attempts if before else 1),
        vary=parse_vary(options["vary"]) or (before.vary if before else {}),
        feedback_rounds=_or_before(options["feedback_rounds"], before, "feedback_rounds", 0),
        simulated_user=_or_before(options["simulate_user"], before, "simulated_user", None),
        settings=pinned_settings(settings),
    )
    if before and pinned:  # an earlier version wrote queries with fewer fields
        before = replace(before, queries_sha256=sha256_of(pinned.queries))
    if before and pinned and not pinned.own:  # the settings are the user's now
        before = replace(before, settings=plan.settings)
    changed = differences(before, plan) if before else []
    if changed and not options["accept_changes"]:
        raise UsageError(
            f"The batch in {folder} was begun otherwise: {'; '.join(changed)}. Run it as it was, "
            "or say --accept-changes."
        )
    return plan


def _or_before(value: Any, before: Plan | None, name: str, default: Any) -> Any:
    if value is not None:
        return value
    return getattr(before, name) if before else default
