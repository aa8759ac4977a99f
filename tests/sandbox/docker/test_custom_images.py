"""Images that are not sii's own: what they must hold, and what is said when they do not."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.client.launch import _BOOT, RUNNER
from sandbox.docker.backend import DockerBackend
from sandbox.protocol import Sandbox, SandboxSpec, SandboxUnavailable
from tests.sandbox import small_images
from tools.toolbox import Toolbox
from tools.web.settings import WebSettings

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def small_image(sandbox_image: str) -> Iterator[str]:
    """With python, bash and a few basic programs; no ripgrep, no /tmp, no home, no ps."""
    name = small_images.python_and(f"sii-test-small:{os.getpid()}", "bash", "sleep", "cat", "grep")
    yield name
    small_images.remove(name)


async def refusal(image: str, workspace: Path) -> str:
    with pytest.raises(SandboxUnavailable) as refused:
        await DockerBackend().start(SandboxSpec(workspace, image))
    return str(refused.value)


async def test_any_image_with_python_and_bash_will_do(small_image: str, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(tmp_path, 1234, 1234)
    sandbox = await DockerBackend().start(SandboxSpec(tmp_path, small_image))
    try:
        assert (await sandbox.bash("cd /tmp; x=1; true")).output == b""
        assert (await sandbox.bash("echo $x $PWD")).output == b"1 /tmp\n"
        assert (await sandbox.python("import json; 6 * 7")).output == b"42\n"
        await sandbox.write_file("a/f", b"content")
        assert (await sandbox.read_file("a/f")).data == b"content"
        assert (await sandbox.bash("sleep 60", timeout=0.1)).timed_out
        job = await sandbox.start_job("echo done")
        assert not (await sandbox.wait_job(job.job_id, timeout=10)).running
        await _searching_says_what_to_use_instead(sandbox)
    finally:
        await sandbox.close()


async def _searching_says_what_to_use_instead(sandbox: Sandbox) -> None:
    async def provide() -> Sandbox:
        return sandbox

    toolbox = Toolbox(("grep", "glob"), provide, WebSettings())
    for call in (("grep", '{"pattern": "x"}'), ("glob", '{"pattern": "*"}')):
        result = await toolbox.call(*call, lambda _: None)
        assert result.error == "no_ripgrep"
        assert "Search with bash: find, grep -rn." in result.text


async def test_no_python_is_said_in_one_sentence(tmp_path: Path) -> None:
    name = small_images.empty(f"sii-test-empty:{os.getpid()}")
    try:
        words = await refusal(name, tmp_path)
    finally:
        small_images.remove(name)
    assert words == (
        f"The image {name} has no python3, which the runner inside needs: add it (3.9 or newer), "
        "or use sii's own image."
    )


async def test_no_bash_is_said_in_one_sentence(tmp_path: Path) -> None:
    name = small_images.python_and(f"sii-test-no-bash:{os.getpid()}", "cat")
    try:
        words = await refusal(name, tmp_path)
    finally:
        small_images.remove(name)
    assert words == (
        "The sandbox did not start: its image has no bash: add it, or use sii's own image."
    )


@pytest.mark.parametrize("path", sorted(RUNNER.glob("*.py")), ids=lambda path: path.name)
def test_the_runner_is_written_for_python_3_9(path: Path) -> None:
    ast.parse(path.read_text("utf-8"), feature_version=(3, 9))
    assert "slots=True" not in path.read_text("utf-8")


def test_an_older_python_is_said_before_anything_is_imported() -> None:
    check, _, _ = _BOOT.partition("sys.path")
    older = "import sys; sys.version_info = (3, 7, 2)\n" + check
    done = subprocess.run([sys.executable, "-c", older], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        1,
        "its python3 is 3.7, and the runner inside needs 3.9\n",
    )
