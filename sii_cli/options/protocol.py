"""The review protocol in force: of the user's home, and settings of before it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from sii_cli.config.settings import find_key_home
from sii_cli.options.recordings import warn
from sii_cli.options.settings import load_for_recordings

if TYPE_CHECKING:
    from recordings.reviews.protocol import Policy, ReviewProtocol


def protocol_file() -> ReviewProtocol | None:
    """Return what `review.toml` of the user's home says, or `None` without one.

    Raises `ProtocolUnusable`.
    """
    from recordings.reviews.protocol import find_protocol

    return find_protocol(find_key_home(os.environ))


def load_protocol(policy: Policy | None = None) -> ReviewProtocol:
    """Return the protocol in force; `policy` is the command line's.

    The setting `approval_policy`, which `review.toml` replaces, holds where there is no such file.
    Raises `ProtocolUnusable`, `UsageError`.
    """
    from recordings.reviews.protocol import DEFAULT_PROTOCOL, PROTOCOL

    found = protocol_file()
    settings = load_for_recordings()
    earlier = settings.approval_policy
    if earlier is not None:
        source, path = settings.sources["approval_policy"], find_key_home(os.environ) / PROTOCOL
        remedy = f'write `policy = "{earlier}"` into {path}, and remove the setting'
        if found is not None:
            remedy = f"{path} holds: remove the setting"
        warn(f"{source}: approval_policy is replaced by `policy` in {PROTOCOL}; {remedy}.")
    protocol = found or replace(DEFAULT_PROTOCOL, policy=earlier or DEFAULT_PROTOCOL.policy)
    return replace(protocol, policy=policy) if policy else protocol
