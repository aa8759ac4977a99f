"""The way out of a sandbox beside the same requests made directly on the host (the floor).

    python -m benchmarks.bench_network [--sandbox docker|bubblewrap] [--megabytes 512]

The same small client asks the same server: directly, through the proxy inside the sandbox by GET,
and through a tunnel. Latency is of a whole request with its connection; beside the download
stands how long a ping of the sandbox takes meanwhile, and what the proxy's process grew by.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import multiprocessing.connection
import resource
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.bench_sandbox import milliseconds, show
from benchmarks.figures import figure
from sandbox.bubblewrap.backend import BubblewrapBackend
from sandbox.docker.backend import DockerBackend
from sandbox.network.resolve import ResolvePolicy
from sandbox.protocol import CommandResult, Sandbox, SandboxBackend, SandboxSpec

MIB = 1 << 20
CLIENT = """
import json, socket, sys, time

def ask(how, host, port, path, proxy):
    begin = time.perf_counter()
    connection = socket.create_connection(proxy or ("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    target = path
    if how == "tunnel":
        connection.sendall(f"CONNECT {host}:{port} HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n".encode())
        answer = b""
        while not answer.endswith(b"\\r\\n\\r\\n"):
            answer += connection.recv(1)
    elif how == "get":
        target = f"http://{host}:{port}{path}"
    connection.sendall(f"GET {target} HTTP/1.1\\r\\nHost: {host}:{port}\\r\\n\\r\\n".encode())
    buffer, size = bytearray(1 << 18), 0
    while got := connection.recv_into(buffer):
        size += got
    connection.close()
    return time.perf_counter() - begin, size

how, host, port, proxy, rounds, size = json.loads(sys.argv[1])
proxy = proxy and tuple(proxy)
ask(how, host, port, "/2", proxy)
small = [ask(how, host, port, "/2", proxy)[0] for _ in range(rounds)]
seconds, got = ask(how, host, port, f"/{size}", proxy)
assert got > size
print(json.dumps([small, got / seconds]))
"""


def serve(pipe: multiprocessing.connection.Connection) -> None:
    """Answer `/N` with N bytes, one connection after another."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    pipe.send(listening.getsockname()[1])
    piece = b"x" * MIB
    while True:
        connection, _ = listening.accept()
        with connection:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += connection.recv(4096)
            size = int(head.split()[1][1:])
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            while size > 0:
                connection.sendall(piece[:size])
                size -= len(piece)


async def pings(sandbox: Sandbox, until: asyncio.Task[CommandResult]) -> list[float]:
    times = []
    while not until.done():
        times.append(await sandbox.ping())
        await asyncio.sleep(0.005)
    return times


async def measure(name: str, port: int, rounds: int, size: int) -> None:
    policy = ResolvePolicy(_to_loopback, lambda _address: True)
    backend: SandboxBackend = (
        DockerBackend(policy) if name == "docker" else BubblewrapBackend(policy)
    )
    direct = json.dumps(["direct", "site.test", port, None, rounds, size])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLIENT, direct, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    floor, floor_rate = json.loads(output)
    show("direct, on the host (floor)", milliseconds(floor), f"{floor_rate / MIB:6.0f} MiB/s")
    with tempfile.TemporaryDirectory() as folder:
        spec = SandboxSpec(Path(folder), allow_net=(f"site.test:{port}",))
        sandbox = await backend.start(spec)
        try:
            await sandbox.write_file("client.py", CLIENT.encode())
            for how in ("get", "tunnel"):
                await _through(sandbox, how, port, rounds, size, floor, floor_rate)
        finally:
            await sandbox.close()


async def _through(
    sandbox: Sandbox,
    how: str,
    port: int,
    rounds: int,
    size: int,
    floor: list[float],
    floor_rate: float,
) -> None:
    config = json.dumps([how, "site.test", port, ["127.0.0.1", 3128], rounds, size])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu = time.process_time()
    running = asyncio.create_task(sandbox.bash(f"python3 client.py '{config}'", timeout=600))
    times = await pings(sandbox, running)
    cpu = time.process_time() - cpu
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    result = await running
    small, rate = json.loads(result.output)
    ratio = statistics.median(small) / statistics.median(floor)
    note = f"{ratio:4.1f} x direct; {rate / MIB:6.0f} MiB/s, {rate / floor_rate:4.2f} x direct"
    ours, bare = (statistics.median(one) * 1e3 for one in (small, floor))
    figure(f"network: {how}", ours, "ms", floor=bare)
    figure(f"network: download, {how}", rate, "B/s", floor=floor_rate, more_is_better=True)
    show(f"{how}, through the proxy", milliseconds(small), note)
    note = f"memory +{grown / 1024:.1f} MiB, CPU {cpu / size * (1 << 30):.2f} s a GiB"
    show("  pings of the sandbox meanwhile", milliseconds(times), note)


async def _to_loopback(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sandbox", choices=("docker", "bubblewrap"), default="docker")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--megabytes", type=int, default=512)
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        size = options.megabytes * MIB
        asyncio.run(measure(options.sandbox, ours.recv(), options.rounds, size))
    finally:
        server.kill()


if __name__ == "__main__":
    main()
