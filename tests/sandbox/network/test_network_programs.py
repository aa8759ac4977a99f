"""pip, git, apt, Python and uploads work through the proxy as they are."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sandbox.protocol import Sandbox, SandboxBackend
from tests.sandbox.conftest import Start
from tests.sandbox.network.test_network import on_this_machine, run


@pytest.fixture
def backend(backend: SandboxBackend) -> SandboxBackend:
    return on_this_machine(backend)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.fixture
def port(files: Path) -> Iterator[int]:
    """The port of a server of files, which takes uploads as well."""

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = hashlib.sha256(body).hexdigest().encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(files)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
async def sandbox(start: Start, port: int) -> Sandbox:
    return await start(allow_net=(f"files.test:{port}",))


async def test_pip_installs_from_an_allowed_index(sandbox: Sandbox, files: Path, port: int) -> None:
    folder = files / "simple" / "lamp"
    folder.mkdir(parents=True)
    name = "lamp-1.0-py3-none-any.whl"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        wheel.writestr("lamp.py", "light = 'on'\n")
        about = "lamp-1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: lamp\nVersion: 1.0\n")
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    (folder / "index.html").write_text(f'<a href="{name}">{name}</a>')
    if (await sandbox.bash("python3 -m pip --version")).exit_code != 0:
        pytest.skip("there is no pip inside")
    text = await run(
        sandbox,
        f"""
        export PIP_CONFIG_FILE=/dev/null
        python3 -m pip install -q --target /tmp/lib --index-url http://files.test:{port}/simple \\
            --trusted-host files.test lamp
        PYTHONPATH=/tmp/lib python3 -c 'import lamp; print(lamp.light)'
        """,
    )
    assert text.endswith("on\n"), text


@pytest.fixture
def repository(files: Path, tmp_path: Path) -> str:
    """A repository that is served as files; its name."""
    work = tmp_path / "work"
    person = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for command in (
        ["git", "init", "-q", str(work)],
        ["git", "-C", str(work), *person, "commit", "-q", "--allow-empty", "-m", "First light"],
        ["git", "clone", "-q", "--bare", str(work), str(files / "lamp.git")],
        ["git", "-C", str(files / "lamp.git"), "update-server-info"],
    ):
        subprocess.run(command, check=True)
    return "lamp.git"


async def test_git_clones_from_an_allowed_host(
    sandbox: Sandbox, port: int, repository: str
) -> None:
    clone = f"git clone -q http://files.test:{port}/{repository} lamp"
    assert await run(sandbox, f"{clone} && git -C lamp log --format=%s") == "First light\n"


async def test_apt_reads_an_allowed_repository(sandbox: Sandbox, files: Path, port: int) -> None:
    if sandbox.info.backend != "docker":
        pytest.skip("apt's folders are the host's")
    packages = b"Package: lamp\nVersion: 1.0\nArchitecture: all\nDescription: light\n"
    (files / "Packages.gz").write_bytes(gzip.compress(packages))
    options = " ".join(
        f"-o {option}"
        for option in (
            *("Dir::State::Lists=/tmp/apt", "Dir::Cache=/tmp/apt", "Dir::Etc::SourceParts=-"),
            *("Dir::Etc::SourceList=/tmp/list", "APT::Sandbox::User=''", "Debug::NoLocking=1"),
        )
    )
    text = await run(
        sandbox,
        f"""
        mkdir -p /tmp/apt/partial /tmp/apt/archives/partial
        echo 'deb [trusted=yes] http://files.test:{port}/ ./' > /tmp/list
        apt-get {options} -qq update && apt-cache {options} show lamp
        """,
    )
    assert "Description: light" in text, text


async def test_python_reads_and_a_large_upload_arrives_whole(sandbox: Sandbox, port: int) -> None:
    text = await run(
        sandbox,
        f"""
        head -c 20000000 /dev/urandom > /tmp/up; sha256sum < /tmp/up | cut -c1-64
        curl -sS -T /tmp/up http://files.test:{port}/up; echo
        curl -sS -p -x $HTTP_PROXY -T /tmp/up http://files.test:{port}/up; echo
        """,
    )
    assert len(set(text.split())) == 1
    assert len(text.split()) == 3
    result = await sandbox.python(
        f"import urllib.request\nurllib.request.urlopen('http://files.test:{port}/').status"
    )
    assert result.output == b"200\n"


async def test_a_large_download_arrives_whole(sandbox: Sandbox, files: Path, port: int) -> None:
    data = os.urandom(1 << 20) * 64
    (files / "big").write_bytes(data)
    want = hashlib.sha256(data).hexdigest()
    for how in ("", "-p -x $HTTP_PROXY"):
        command = f"curl -sS {how} http://files.test:{port}/big | sha256sum"
        assert (await run(sandbox, command)).startswith(want)
