"""Docker sandboxes: one hardened container each, the runner as its first process.

docker-py makes, starts and removes containers, in threads; everything else goes over the
attached stream. When the client dies, its end of the stream closes and the runner ends.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from sandbox.client.calls import RunnerCalls
from sandbox.client.launch import (
    CLIENT_PIPE,
    DIRECTORY,
    DIRECTORY_SIZE,
    HOSTS,
    MOUNTED,
    RUNNER,
    command_line,
    first_frame,
    new_name,
    real_mounts,
    real_workspace,
    removed_when_it_fails,
    shm_size,
    started,
    tmp_size,
)
from sandbox.client.stream import RunnerStream
from sandbox.docker.attach import Attachment, attach
from sandbox.docker.client_pipe import NAME as CLIENT_PIPE_NAME
from sandbox.docker.client_pipe import ClientPipe
from sandbox.docker.container_guard import ContainerGuard
from sandbox.docker.engine import Engine, connect, socket_path, unreachable
from sandbox.docker.leftovers import OWNER_LABEL, owner, remove_leftovers
from sandbox.docker.sii_images import build_command, short_name_of
from sandbox.network.resolve import PUBLIC_WEB, ResolvePolicy
from sandbox.network.sandbox_network import SandboxNetwork
from sandbox.protocol import (
    WORKSPACE,
    Mount,
    SandboxInfo,
    SandboxLost,
    SandboxSpec,
    SandboxUnavailable,
)
from sandbox.seccomp import docker_profile

T = TypeVar("T")

_STARTS_AT_ONCE = 4
_CLOSE_TIMEOUT = 3.0
_NICE = 19
"""Added to the commands' nice value. In the container's own control group it only puts the runner
before them; programs elsewhere on the machine gain nothing by it."""
_CAPABILITIES = ["CHOWN", "KILL", "SETGID", "SETUID"]
"""For the supervisor; CHOWN until it has made the commands' home. Commands have none."""


class DockerSandbox(RunnerCalls):
    """A running container."""

    def __init__(
        self,
        engine: Engine,
        stream: RunnerStream,
        attachment: Attachment,
        info: SandboxInfo,
        network: SandboxNetwork,
        client_pipe: ClientPipe,
    ) -> None:
        super().__init__(stream, info.limits, network)
        self.info = info
        self._engine = engine
        self._attachment = attachment
        attachment.closed.add_done_callback(lambda _: client_pipe.cut())

    async def close(self) -> None:
        """End the container and all that runs in it. May be called twice."""
        await self._network.close()
        has_answered = self._stream.lost is None
        with suppress(SandboxLost):
            self._stream.write({"op": "end"})
        try:
            await asyncio.wait_for(asyncio.shield(self._attachment.closed), _CLOSE_TIMEOUT)
        except TimeoutError:
            has_answered = False
            self._stream.end("it was closed")
        if not has_answered:
            await asyncio.to_thread(_remove, self._engine, self.info.sandbox_id)


class DockerBackend:
    """Starts containers; at most four at a time, for an engine is slower with more."""

    name = "docker"

    def __init__(self, policy: ResolvePolicy = PUBLIC_WEB) -> None:
        self._resolve_policy = policy
        self._engine: Engine | None = None
        self._guard: ContainerGuard | None = None
        self._connecting = asyncio.Lock()
        self._starting = asyncio.Semaphore(_STARTS_AT_ONCE)

    async def start(self, spec: SandboxSpec) -> DockerSandbox:
        """Start a container. Raises `SandboxUnavailable` with the remedy."""
        begin = time.monotonic()
        workspace = real_workspace(spec.workspace)
        mounts = real_mounts(spec)
        for path in (workspace, *(mount.source for mount in mounts)):
            _refuse_engine_socket(path)
        engine, guard = await self._connect()
        name = new_name()
        network = await SandboxNetwork.open(spec, self._resolve_policy)
        client_pipe = ClientPipe()
        mounts += (*network.mounts, Mount(client_pipe.folder, CLIENT_PIPE))

        async def remove() -> None:
            client_pipe.cut()
            self._engine = None  # it may have died: the next start connects again
            await network.close()
            await _to_the_end(_remove, engine, name)
            guard.release(name)

        guard.watch(name)
        async with removed_when_it_fails(remove):
            async with self._starting:
                digest = await _to_the_end(_create, engine, spec, workspace, mounts, name)
                stream = RunnerStream()
                attachment = await attach(engine.socket_path, name, stream)
                pipe = f"{CLIENT_PIPE}/{CLIENT_PIPE_NAME}"
                stream.write(first_frame(spec, nice=_NICE, client_pipe=pipe, hosts=HOSTS))
                await _to_the_end(_start, engine, spec, name)
                info = await started(
                    stream, spec, backend=self.name, name=name, begin=begin, image_digest=digest
                )
            client_pipe.remove_name()
            guard.release(name)
            sandbox = DockerSandbox(engine, stream, attachment, info, network, client_pipe)
            await sandbox.prepare(spec.setup)
        return sandbox

    async def _connect(self) -> tuple[Engine, ContainerGuard]:
        async with self._connecting:
            if self._engine is None or self._guard is None:
                self._engine = await asyncio.to_thread(connect)
                self._guard = await asyncio.to_thread(_guard, self._engine.socket_path)
                await asyncio.to_thread(remove_leftovers, self._engine.api)
            return self._engine, self._guard


@lru_cache
def _guard(socket_path: str) -> ContainerGuard:
    """Return the process's one guard for an engine, which ends with the process."""
    guard = ContainerGuard(socket_path)
    atexit.register(guard.close)
    return guard


def _refuse_engine_socket(path: Path) -> None:
    """Raises `SandboxUnavailable` for a path that holds the engine's socket."""
    engine_socket = Path(os.path.realpath(socket_path()))
    if engine_socket.is_relative_to(path):
        raise SandboxUnavailable(
            f"{path} holds the Docker engine's socket, which would open the whole machine to what "
            "runs in the sandbox: choose a directory below it."
        )


def _create(
    engine: Engine, spec: SandboxSpec, workspace: Path, mounts: tuple[Mount, ...], name: str
) -> str:
    """Make the container (blocking); return the image's digest."""
    from docker.errors import APIError, ImageNotFound
    from requests.exceptions import ConnectionError as NoConnection

    try:
        image = engine.api.inspect_image(spec.image)
        engine.api.create_container(
            spec.image,
            entrypoint=command_line(),
            command=[],
            name=name,
            hostname="sandbox",
            user="0:0",
            working_dir="/",
            stdin_open=True,
            # The engine has nothing to set up then, which is half of a start; it writes no hosts
            # either. The namespace without a network is made as always.
            network_disabled=True,
            labels={OWNER_LABEL: owner()},
            host_config=_host_config(engine, spec, workspace, mounts),
        )
    except ImageNotFound:
        raise SandboxUnavailable(_no_image(spec.image)) from None
    except NoConnection as error:
        raise SandboxUnavailable(unreachable(engine.socket_path, error)) from None
    except APIError as error:
        raise SandboxUnavailable(f"The engine cannot make a sandbox: {error.explanation}") from None
    return str(image["Id"])


def _start(engine: Engine, spec: SandboxSpec, name: str) -> None:
    from docker.errors import APIError

    try:
        engine.api.start(name)
    except APIError as error:
        words = str(error.explanation)
        if "python3" in words and ("not found" in words or "no such file" in words):
            raise SandboxUnavailable(
                f"The image {spec.image} has no python3, which the runner inside needs: add it "
                "(3.9 or newer), or use sii's own image."
            ) from None
        raise SandboxUnavailable(f"The engine cannot start the sandbox: {words}") from None


def _no_image(image: str) -> str:
    if short_name_of(image):
        return f"The sandbox's image {image} is not here: make it with `{build_command(image)}`."
    return f"The image {image} is not here: `docker pull {shlex.quote(image)}`, or build it."


def _host_config(
    engine: Engine, spec: SandboxSpec, workspace: Path, mounts: tuple[Mount, ...]
) -> Any:
    from docker import types

    limits = spec.limits
    read_only = [(RUNNER, MOUNTED), *((extra.source, extra.target) for extra in mounts)]
    binds = [types.Mount(WORKSPACE, str(workspace), type="bind", read_only=spec.read_only)]
    binds += [
        types.Mount(target, str(source), type="bind", read_only=True)
        for source, target in read_only
    ]
    return engine.api.create_host_config(
        auto_remove=True,
        network_mode="none",
        mounts=binds,
        tmpfs=_tmpfs(spec),
        shm_size=shm_size(spec),
        mem_limit=limits.memory,
        memswap_limit=limits.memory,
        nano_cpus=int(limits.cpus * 1e9),
        pids_limit=limits.pids,
        cap_drop=["ALL"],
        cap_add=_CAPABILITIES,
        security_opt=["no-new-privileges:true", f"seccomp={docker_profile()}"],
        ulimits=[types.Ulimit(name="core", soft=0, hard=0)],
        log_config=types.LogConfig(type="none"),
    )


def _tmpfs(spec: SandboxSpec) -> dict[str, str]:
    return {
        "/tmp": f"size={tmp_size(spec)},mode=1777,exec",
        DIRECTORY: f"size={DIRECTORY_SIZE},mode=711,noexec",
    }


async def _to_the_end(call: Callable[..., T], *arguments: Any) -> T:
    """Run a blocking call in a thread and wait for it, also when we are cancelled meanwhile.

    What is half done then would otherwise be finished behind our back and left over.
    """
    running = asyncio.ensure_future(asyncio.to_thread(call, *arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def _remove(engine: Engine, name: str) -> None:
    from docker.errors import APIError
    from requests.exceptions import RequestException

    with suppress(APIError, RequestException):
        engine.api.remove_container(name, force=True, v=True)
