"""A fake sandbox that reads documents by the real programs, with this environment's libraries."""

from __future__ import annotations

import posixpath
import sys
from pathlib import Path

import sandbox
from sandbox.client.launch import MOUNTED
from sandbox.protocol import WORKSPACE, ProcessResult, Sandbox
from tests.fakes.fake_sandbox import FakeSandbox
from tools.files import SessionFiles


class DocumentSandbox(FakeSandbox):
    """Its paths are those of a directory of the host, `/tmp` too."""

    async def run(
        self,
        argv: list[str],
        *,
        timeout: float = 60.0,
        cwd: str = WORKSPACE,
        max_output: int = 16 << 20,
    ) -> ProcessResult:
        """Run a program of the host with the paths of the host."""
        if argv[0] == "python3":
            argv = [sys.executable, *argv[1:]]
        return await super().run(
            list(map(self._outside, argv)), timeout=timeout, max_output=max_output
        )

    def _outside(self, text: str) -> str:
        """Replace the paths of the sandbox, alone or quoted, by those of the host."""
        places = {
            posixpath.dirname(MOUNTED): str(Path(sandbox.__file__).parent),
            "/tmp/.sii-": f"{self.workspace}/.sii-",
            f"{WORKSPACE}/": f"{self.workspace}/",
        }
        for inside, outside in places.items():
            if text.startswith(inside):
                return outside + text.removeprefix(inside)
            for quote in "\"'":
                text = text.replace(quote + inside, quote + outside)
        return text

    def _host_path(self, path: str) -> Path:
        return super()._host_path(path.replace("/tmp/.sii-", f"{WORKSPACE}/.sii-"))


async def _no_sandbox() -> Sandbox:
    raise AssertionError("a page needs no sandbox")


WITHOUT_SANDBOX = SessionFiles(_no_sandbox)
"""The files of a session in which nothing but pages is read."""
