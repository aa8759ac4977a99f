"""Prepares a re-execution: the sandbox, tools and workspace in which the calls ran."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from recordings.events import SandboxStart, Snapshot
from recordings.store.collection import home_of
from recordings.store.workspaces import snapshots_of
from sandbox.backends import BACKENDS, DEFAULT_BACKEND
from sandbox.docker.sii_images import image_of
from sandbox.own_folder import OwnFolder
from sandbox.protocol import SandboxSpec
from sandbox.snapshots import SnapshotNotFound
from sii_cli.assembly import make_backend, make_limits, make_redactor
from sii_cli.config.settings import Settings
from sii_cli.data_sets.data_set import DataSet, why_changed
from sii_cli.data_sets.registry import find_data_set
from sii_cli.errors import UsageError
from sii_cli.model.control_tokens import AS_WRITTEN, NEUTRALISED
from sii_cli.reexecution.engine import Reexecution
from sii_cli.reexecution.limits import lesser_limits, recorded_limits
from sii_cli.reexecution.recorded import RecordedEnvironment
from sii_cli.reexecution.rules import Rule
from sii_cli.workspace.folder_copy import copy_folder
from sii_cli.workspace.history import snapshot_store
from tools.registry import ALL_TOOLS
from tools.toolbox import Toolbox
from tools.web.settings import WebSettings

_NO_START = (
    "There is no snapshot of the workspace as it was at the start: give a directory that holds it "
    "with --workspace DIR (it is copied, nothing runs in it)."
)


@contextmanager
def start_workspace(
    folder: Path, environment: RecordedEnvironment, given: Path | None, home: Path
) -> Iterator[Path]:
    """Give a copy of the workspace as it was at the start; gone afterwards.

    `given` is a directory that holds it; without one it comes from the recording's snapshots.
    Raises `UsageError` when nobody knows it, and `SnapshotError`.
    """
    with OwnFolder("workspace") as place:
        workspace = place / "workspace"
        if given is not None:
            workspace.mkdir()
            copy_folder(given, workspace, with_owners=os.geteuid() == 0, follow=True)
        elif (first := next(snapshots_of(folder), None)) is not None:
            assert isinstance(first.data, Snapshot)
            try:
                with closing(snapshot_store(home)) as store:
                    store.write_tree(first.data.tree, workspace)
            except SnapshotNotFound:
                raise UsageError(_NO_START) from None
        elif environment.start.mode == "demo":
            from sii_cli.demo import make_workspace

            workspace.mkdir()
            make_workspace(workspace)
        else:
            raise UsageError(_NO_START)
        yield workspace


def prepare(
    folder: Path,
    environment: RecordedEnvironment,
    settings: Settings,
    workspace: Path,
    rules: Sequence[Rule],
    image: str | None = None,
    *,
    is_own: bool,
) -> Reexecution:
    """Put a re-execution together; `image` replaces the recorded one.

    Of a recording that is not own the settings choose the backend and the image.
    """
    recorded = environment.sandbox if is_own else None
    if recorded is not None:
        known = recorded.backend in BACKENDS
        settings = replace(settings, sandbox=recorded.backend if known else DEFAULT_BACKEND)
    return Reexecution(
        folder=folder,
        backend=make_backend(settings),
        spec=sandbox_spec(environment, workspace, settings, image, is_own=is_own),
        tools=[name for name in tool_names(environment) if name in ALL_TOOLS],
        rules=rules,
        redactor=make_redactor(settings),
        snapshots=snapshot_store(home_of(folder)),
        neutralisation=AS_WRITTEN if _was_ids(environment) else NEUTRALISED,
    )


def _was_ids(environment: RecordedEnvironment) -> bool:
    """Return whether the model read what its tools returned as it was."""
    wire = environment.start.wire
    return wire is not None and wire.kind == "ids"


def tool_names(environment: RecordedEnvironment) -> list[str]:
    """Return the names of the tools that the model had."""
    return [str(tool["function"]["name"]) for tool in environment.start.tools]


def differences(environment: RecordedEnvironment, settings: Settings, *, is_own: bool) -> list[str]:
    """Return sentences about what differs from the recorded installation."""
    found = []
    names = tool_names(environment)
    if missing := [name for name in names if name not in ALL_TOOLS]:
        found.append(f"There is no tool {', '.join(missing)} any more.")
    elif _tools_sha256(names) != environment.start.tools_sha256:
        found.append("The tools have changed since: their texts, or what they do.")
    if environment.sandbox is not None:
        found += _sandbox_differences(environment.sandbox, settings, is_own)
    return found


def same_data_sets(recorded: SandboxStart, settings: Settings) -> list[DataSet]:
    """Return the recorded data sets that the home has with the same content. Blocks."""
    found = []
    for use in recorded.data or ():
        with suppress(UsageError):
            one = find_data_set(settings.key_home or settings.home, use.name)
            if one.sha256 == use.sha256 and why_changed(one) is None:
                found.append(one)
    return found


def _sandbox_differences(recorded: SandboxStart, settings: Settings, is_own: bool) -> Iterator[str]:
    if not is_own:
        yield (
            "This home cannot prove that it made the recording: its calls run in the image "
            "of your settings (or --image NAME), within your limits and without its set-up."
        )
    if recorded.network:
        yield "The sandbox could reach hosts then; now it has no network."
    if is_own and recorded.setup and not _setup(recorded):
        yield "Its set-up commands are not run: they could reach hosts then."
    if recorded.mounts:
        yield f"The host's files at {', '.join(recorded.mounts)} are not there now."
    here = {one.name for one in same_data_sets(recorded, settings)} if is_own else set()
    if missing := [one.name for one in recorded.data or () if one.name not in here]:
        yield f"Not there now, or with other content: data sets {', '.join(missing)}."
    if recorded.env:
        names = ", ".join(recorded.env)
        yield f"The variables {names} are not set now: a recording does not keep their values."


def _setup(recorded: SandboxStart) -> tuple[str, ...]:
    """Return the set-up commands to run: one that misses the network would end everything."""
    return () if recorded.network else tuple(recorded.setup)


def _tools_sha256(names: Sequence[str]) -> str:
    async def no_sandbox() -> None:
        raise AssertionError

    return Toolbox(names, no_sandbox, WebSettings()).sha256  # type: ignore[arg-type]


def sandbox_spec(
    environment: RecordedEnvironment,
    workspace: Path,
    settings: Settings,
    image: str | None,
    *,
    is_own: bool,
) -> SandboxSpec:
    """Return the recorded sandbox, as far as it can be made again; `differences` names the rest.

    Of a recording that is not own it is the settings' sandbox, with the lesser of both limits.
    """
    recorded = environment.sandbox
    spec = SandboxSpec(workspace=workspace)
    if not is_own:
        limits = lesser_limits(recorded.limits if recorded else {}, make_limits(settings))
        read_only = recorded.read_only if recorded else False
        spec = replace(spec, limits=limits, image=settings.image, read_only=read_only)
    elif recorded is not None:
        found = recorded.image_digest or recorded.image or spec.image
        spec = replace(
            spec,
            limits=recorded_limits(recorded.limits, make_limits(settings)),
            image=found,
            setup=_setup(recorded),
            read_only=recorded.read_only,
            mounts=tuple(one.mount for one in same_data_sets(recorded, settings)),
        )
    return spec if image is None else replace(spec, image=image_of(image))
