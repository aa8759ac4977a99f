"""`sii serve`: start vLLM with the flags that fit the model and this machine."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sii_cli.errors import DONE, INTERRUPTED
from sii_cli.options.settings import example

if TYPE_CHECKING:
    from sii_cli.model_server.vllm_command import ServeCommand


@click.command(
    "serve",
    help="Serve MODEL with vLLM, with the flags that fit it and this machine. Arguments after "
    "`--` are passed to vLLM unchanged and override sii's.",
    epilog=example(
        "sii serve zai-org/GLM-4.5-Air-FP8",
        "sii serve ./GLM-4.7-Flash --port 8001",
        "sii serve zai-org/GLM-4.7-FP8 --dry-run -- --max-model-len 65536",
    ),
)
@click.argument("model")
@click.option("--port", type=click.IntRange(1, 65535), help="Without it the first free from 8000.")
@click.option("--vllm", metavar="PROGRAM", help="A Python that has vLLM, or `vllm` itself.")
@click.option("--dry-run", is_flag=True, help="Print the command, start nothing.")
@click.argument("extra", nargs=-1, type=click.UNPROCESSED)
def command(
    model: str, port: int | None, vllm: str | None, dry_run: bool, extra: tuple[str, ...]
) -> int:
    """ServeCommand, and run until the server ends."""
    from sii_cli.config.settings import find_key_home
    from sii_cli.model_server.server import free_port
    from sii_cli.model_server.vllm_command import choose_command, detect_machine, find_vllm

    if dry_run:
        ready = _plan_anywhere(model, port, vllm, extra)
    else:
        chosen = free_port(port)
        ready = choose_command(model, detect_machine(), find_vllm(vllm), port=chosen, extra=extra)
    for note in ready.notes:
        click.echo(f"note: {note}", err=True)
    if dry_run:
        settings = [f"{name}={shlex.quote(value)}" for name, value in ready.env.items()]
        click.echo(" ".join([*settings, shlex.join(ready.command)]))
        return DONE
    home = find_key_home(os.environ)
    home.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_run(ready, chosen, home))


def _plan_anywhere(
    model: str, port: int | None, vllm: str | None, extra: tuple[str, ...]
) -> ServeCommand:
    """Choose the command also where it cannot be run: what is missing here becomes a note."""
    from sii_cli.errors import SiiError
    from sii_cli.model_server.server import FIRST_PORT, free_port
    from sii_cli.model_server.vllm_command import (
        choose_command,
        detect_machine,
        find_vllm,
        vendors_machine,
    )

    missing = []
    try:
        program = find_vllm(vllm)
    except SiiError as error:
        missing.append(str(error))
        program = ("vllm", "serve")
    try:
        chosen = free_port(port)
    except SiiError as error:
        missing.append(str(error))
        chosen = port or FIRST_PORT
    try:
        ready = choose_command(model, detect_machine(), program, port=chosen, extra=extra)
    except SiiError as error:
        machine = vendors_machine(model)
        missing.append(f"{error} The command is for {len(machine.gpus)} × {machine.gpus[0]} GB.")
        ready = choose_command(model, machine, program, port=chosen, extra=extra)
    return replace(ready, notes=(*missing, *ready.notes))


async def _run(ready: ServeCommand, port: int, home: Path) -> int:
    from sii_cli.model_server.server import serve

    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    log = home / f"serve-{port}.log"
    click.echo(f"starting {ready.name}; its log is {log}")
    try:
        await serve(ready, port, home=home, log=log, say=click.echo)
    except asyncio.CancelledError:
        click.echo("stopped")
        return INTERRUPTED
    return DONE
