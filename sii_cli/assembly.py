"""The parts of a session, made from the settings."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Literal

from recordings.redaction.redactor import Redactor
from recordings.redaction.secrets import SecretFinder, known_secrets
from recordings.trust.first_start import working_key
from recordings.trust.home_key import HomeKey
from sandbox.backends import BACKENDS
from sandbox.protocol import Limits, Mount, SandboxBackend, SandboxSpec
from sii_cli.config.project_text import read_project_text, text_sha256
from sii_cli.config.settings import Settings
from sii_cli.data_sets.data_set import DataSet
from sii_cli.debug_log import start_log
from sii_cli.errors import UsageError
from sii_cli.model.types import Model

Mode = Literal["interactive", "headless", "demo", "batch"]


def make_model(settings: Settings) -> Model:
    """Return the client of the server that the settings name."""
    from sii_cli.model.vllm import VllmModel  # aiohttp is slow to import: after the first key

    return VllmModel(
        base_url=settings.base_url,
        model=settings.model,
        api_key=settings.api_key,
        idle_timeout=settings.idle_timeout,
        retries=settings.retries,
    )


def make_backend(settings: Settings) -> SandboxBackend:
    """Return the sandbox backend that the settings name."""
    return BACKENDS[settings.sandbox].make()


def make_spec(settings: Settings) -> SandboxSpec:
    """Return the specification of the sandbox that the settings describe.

    Raises `UsageError` for a data set that the home does not have.
    """
    data = (one.mount for one in data_sets_of(settings))
    return SandboxSpec(
        workspace=settings.workspace,
        image=settings.image,
        limits=make_limits(settings),
        allow_net=settings.allow_net,
        allow_net_private=settings.allow_net_private if settings.allow_net else (),
        env=sandbox_env(settings),
        mounts=(*map(_mount, settings.mounts), *data),
        setup=settings.setup,
        read_only=settings.read_only,
    )


def data_sets_of(settings: Settings) -> tuple[DataSet, ...]:
    """Return the data sets that the settings name. Raises `UsageError`."""
    if not settings.data:
        return ()
    from sii_cli.data_sets.registry import find_data_sets  # most sessions have none

    return find_data_sets(settings.key_home or settings.home, settings.data)


def make_limits(settings: Settings) -> Limits:
    """Return the limits of a sandbox."""
    return Limits(
        memory=settings.memory,
        cpus=settings.cpus,
        pids=settings.pids,
        tmp=settings.tmp,
        shm=settings.shm,
        disk=settings.disk,
        file_size=settings.file_size,
        open_files=settings.open_files,
        output=settings.output_size,
        command_timeout=min(settings.command_timeout, settings.command_timeout_max),
        command_timeout_max=settings.command_timeout_max,
    )


def sandbox_env(settings: Settings) -> dict[str, str]:
    """Return the variables that the sandbox's commands get."""
    pairs = (pair.partition("=") for pair in settings.env)
    return {name: value for name, _, value in pairs}


def _mount(text: str) -> Mount:
    source, _, target = text.rpartition(":/")
    return Mount(Path(source), f"/{target}")


def make_key(settings: Settings) -> HomeKey | None:
    """Return the home key, which proves what is recorded; it is created when there is none.

    Raises `HomeKeyUnusable`, `RecordingFailed`.
    """
    return working_key(settings.key_home) if settings.key_home is not None else None


def make_redactor(settings: Settings) -> Redactor:
    """Return the redactor that keeps secrets out of the recording.

    The model reads what is recorded, so it does not see them either. By default only what is hardly
    ever wrong is masked: a wrong guess would break the model's edits.
    """
    known = known_secrets(os.environ, sandbox_env(settings)) | settings.keys
    finder = SecretFinder(known, settings.redact)
    return Redactor(finder, whole=settings.redact_whole)


def start_debug_log(settings: Settings) -> None:
    """Write the debug log from now on, without the secrets that the settings know."""
    start_log(settings.key_home or settings.home, lambda: make_redactor(settings).text)


def system_prompt(settings: Settings) -> str:
    """Return the session's system prompt: the user's file, or the one shipped.

    Raises `UsageError`.
    """
    path = settings.system_prompt
    if path is not None:
        try:
            text = read_project_text(path)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"The system prompt {path} cannot be read: {error}.") from error
        if settings.trusted_prompt not in (None, text_sha256(text)):
            raise UsageError(
                f"The system prompt {path} has changed since the project's settings were trusted: "
                "`sii config --trust` shows and trusts it as it is now."
            )
        return text.strip()
    return resources.files("sii_cli").joinpath("system_prompt.md").read_text("utf-8").strip()
