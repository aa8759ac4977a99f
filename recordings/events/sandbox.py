"""Events of the sandbox and its network."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from recordings.events.parts import EventBase, EventPart


class DataSetUse(EventPart):
    """A data set that a sandbox shows read-only at `/data/NAME`."""

    name: str
    sha256: str
    """Of its content when it was added: the hash of the tree that a snapshot of it would have."""
    files: int
    size: int
    """In bytes."""
    license: str | None = None


class SandboxStart(EventBase):
    """A sandbox is ready. A second one means that the first was lost, or that the session was
    resumed: a `harness_message` with the reason `new_sandbox` tells the model what is gone."""

    type: ClassVar[str] = "sandbox_start"
    durable: ClassVar[bool] = True
    later: ClassVar[frozenset[str]] = frozenset({"named_networks", "private_hosts", "data"})
    backend: str
    sandbox_id: str
    image: str | None = None
    image_digest: str | None = None
    limits: dict[str, Any] = {}
    network: list[str] = []
    """Hosts that may be reached; empty without a network."""
    named_networks: list[str] | None = None
    """Networks that were allowed by name, each with the version of its list: `@pypi 2026-11-30`."""
    private_hosts: list[str] | None = None
    """Hosts that may be in a private network, as the user's own file says."""
    unlimited: list[str] = []
    """Names of the limits that this backend cannot enforce."""
    read_only: bool = False
    """Whether the workspace can only be read."""
    mounts: dict[str, str] = {}
    """Host paths that are mounted read-only, by their path inside."""
    data: list[DataSetUse] | None = None
    """Data sets of the home that are shown; their paths on the host are not recorded."""
    setup: list[str] = []
    """Commands that were run before the first call."""
    env: list[str] = []
    """Names of the variables that were set; their values are not recorded."""
    start_seconds: float


class SandboxEnd(EventBase):
    """The sandbox ended: it was closed, or it was lost."""

    type: ClassVar[str] = "sandbox_end"
    later: ClassVar[frozenset[str]] = frozenset({"data_changed"})
    sandbox_id: str
    reason: Literal["closed", "lost"]
    detail: str = ""
    data_changed: list[str] | None = None
    """Names of data sets that were changed on the host while the sandbox ran."""


class PortOpened(EventBase):
    """A background job is first seen to listen on a TCP port inside the sandbox.

    The human is shown it; the model is not.
    """

    type: ClassVar[str] = "port_opened"
    sandbox_id: str
    job: int
    """Number of the job."""
    port: int


class NetworkRequest(EventBase):
    """A request from the sandbox to the network, recorded when it ended.

    Of a tunnel (`CONNECT`) only its two ends and the number of bytes are known.
    """

    type: ClassVar[str] = "network_request"
    sandbox_id: str
    host: str
    """As requested, in lower case; empty when no host could be read."""
    port: int
    method: str
    """`CONNECT` for a tunnel, otherwise the HTTP method; empty when none could be read."""
    allowed: bool
    """Whether the host is an allowed one."""
    reason: str = ""
    """Why it was refused or failed: `not_allowed`, `not_public`, `misdirected` (a tunnel's TLS is
    for another host), `unknown_host`, `unreachable`, `no_network` (of this machine), `timeout`,
    `bad_request`, `bad_answer`, `broken` (one side left), `closed` (the sandbox ended); empty when
    it succeeded."""
    address: str | None = None
    """The address that it was connected to."""
    status: int | None = None
    """HTTP status of the response."""
    sent: int = 0
    """Bytes of bodies, or through the tunnel, from the sandbox to the host."""
    received: int = 0
    """Bytes of bodies, or through the tunnel, from the host to the sandbox."""
    seconds: float = 0.0
