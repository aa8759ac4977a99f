"""Events of the sandbox and its network."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from recordings.events.parts import EventBase


class SandboxStart(EventBase):
    """A sandbox is ready. A second one means that the first was lost, or that the session went on
    later: the model is told what is gone (`harness_message` of the reason `new_sandbox`)."""

    type: ClassVar[str] = "sandbox_start"
    durable: ClassVar[bool] = True
    backend: str
    sandbox_id: str
    image: str | None = None
    image_digest: str | None = None
    limits: dict[str, Any] = {}
    network: list[str] = []
    """Hosts that may be reached; empty: no network."""
    unlimited: list[str] = []
    """Names of the limits that this backend cannot hold."""
    read_only: bool = False
    """The workspace can only be read."""
    mounts: dict[str, str] = {}
    """Host paths shown read-only, by their place inside."""
    setup: list[str] = []
    """Commands that were run before the first call."""
    env: list[str] = []
    """Names of the variables that were set; their values are not kept."""
    start_seconds: float


class SandboxEnd(EventBase):
    """The sandbox is gone, by our doing or not."""

    type: ClassVar[str] = "sandbox_end"
    sandbox_id: str
    reason: Literal["closed", "lost"]
    detail: str = ""


class NetworkRequest(EventBase):
    """What something in the sandbox asked of the network, told when it was over.

    Of a tunnel (`CONNECT`) no more is known than its two ends and what passed.
    """

    type: ClassVar[str] = "network_request"
    sandbox_id: str
    host: str
    """As asked for, in lower case; empty when no host could be read."""
    port: int
    method: str
    """`CONNECT` for a tunnel, otherwise the HTTP method; empty when none could be read."""
    allowed: bool
    """The host is one of those that may be reached."""
    reason: str = ""
    """Why it was refused or failed: `not_allowed`, `not_public`, `misdirected` (a tunnel's TLS is
    for another host), `unknown_host`, `unreachable`, `no_network` (of this machine), `timeout`,
    `bad_request`, `bad_answer`, `broken` (one side left), `closed` (the sandbox ended); empty when
    it went well."""
    address: str | None = None
    """What was connected to."""
    status: int | None = None
    """HTTP status that the client read."""
    sent: int = 0
    """Bytes of bodies, or through the tunnel, from the sandbox to the host."""
    received: int = 0
    """Bytes of bodies, or through the tunnel, from the host to the sandbox."""
    seconds: float = 0.0
