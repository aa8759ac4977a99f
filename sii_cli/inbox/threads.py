"""Runs what blocks in a thread, for the same command: with the homes that it names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a thread, within click's context of this one."""
    context = click.get_current_context(silent=True)

    def call() -> T:
        if context is None:
            return function(*args, **kwargs)
        with context.scope(cleanup=False):
            return function(*args, **kwargs)

    return await asyncio.to_thread(call)
