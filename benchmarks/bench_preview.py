"""What the preview adds to a request, beside the same server reached inside in the same run.

    python -m benchmarks.bench_preview [--image NAME]

On a busy machine most of it is the wait of the niced server for a processor: run it alone.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.figures import figure
from sandbox.docker.backend import DockerBackend
from sandbox.protocol import Sandbox, SandboxSpec
from sii_cli.web.preview import PreviewServer

PORT = 8000
ROUNDS = 300
_APP = """
import http.server
class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(bytes(2000))
    def log_message(self, *words):
        pass
http.server.HTTPServer(("127.0.0.1", 8000), App).serve_forever()
"""
_INSIDE = """
import socket, statistics, time
def ask():
    begin = time.perf_counter()
    with socket.create_connection(("127.0.0.1", 8000)) as one:
        one.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
        while one.recv(65536):
            pass
    return time.perf_counter() - begin
print(statistics.median(ask() for _ in range(300)))
"""


async def ask(port: int, head: str) -> tuple[float, bytes]:
    begin = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode())
    answer = await reader.read()
    writer.close()
    return time.perf_counter() - begin, answer


async def through_preview(sandbox: Sandbox) -> float:
    preview = await PreviewServer.start(lambda: sandbox.connect(PORT))
    host, path = preview.new_link().removeprefix("http://").split("/", 1)
    port = int(host.rpartition(":")[2])
    _, answer = await ask(port, f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
    found = re.search(rb"Set-Cookie: ([^;]+)", answer)
    assert found is not None
    head = f"GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {found[1].decode()}\r\n\r\n"
    times = [(await ask(port, head))[0] for _ in range(ROUNDS)]
    await preview.close()
    return statistics.median(times)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--image", default="sii-sandbox:latest")
    image = parser.parse_args().image
    with tempfile.TemporaryDirectory() as folder:
        spec = SandboxSpec(workspace=Path(folder), image=image)
        sandbox = await DockerBackend().start(spec)
        await sandbox.write_file("app.py", _APP.encode())
        await sandbox.write_file("inside.py", _INSIDE.encode())
        await sandbox.start_job("python3 app.py")
        await asyncio.sleep(1.5)
        inside = float((await sandbox.bash("python3 inside.py")).output)
        through = await through_preview(sandbox)
        await sandbox.close()
    print(f"inside {inside * 1e3:.2f} ms, through the preview {through * 1e3:.2f} ms")
    figure("preview: a request adds", (through - inside) * 1e3, "ms")


if __name__ == "__main__":
    asyncio.run(main())
