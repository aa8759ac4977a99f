"""The tool `screenshot`: what the model reads, what is saved, and browsers that say anything."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.docker.sii_images import SII_IMAGES
from sandbox.protocol import WORKSPACE, ProcessResult, Sandbox
from tests.fakes.fake_sandbox import FakeSandbox
from tools.base import ToolResult
from tools.registry import ALL_TOOLS, TOOL_NAMES, default_tools
from tools.toolbox import Toolbox
from tools.web.settings import WebSettings

PNG = b"\x89PNG\r\n\x1a\npixels"
SEEN: dict[str, Any] = {
    "title": "Game",
    "url": "http://localhost:8000/",
    "tree": '- heading "Game"\n- button "Start"',
    "messages": ["console error: boom", "uncaught: Error: x"],
    "failed": None,
    "image": base64.b64encode(PNG).decode(),
}


class BrowserSandbox(FakeSandbox):
    """Answers as the program that drives the browser does."""

    answer: bytes = json.dumps(SEEN).encode()
    exit_code = 0
    asked: dict[str, Any]

    async def run(
        self,
        argv: list[str],
        *,
        timeout: float = 60.0,
        cwd: str = WORKSPACE,
        max_output: int = 16 << 20,
    ) -> ProcessResult:
        """Answer, or let the time pass."""
        self.asked = json.loads(argv[-1])
        if not self.answer:
            raise TimeoutError
        return ProcessResult(self.exit_code, self.answer, b"Traceback\nOSError: no\x1b[31m memory")


@pytest.fixture
def sandbox(tmp_path: Path) -> BrowserSandbox:
    return BrowserSandbox(tmp_path)


async def call(sandbox: BrowserSandbox, **arguments: Any) -> ToolResult:
    toolbox = Toolbox(["screenshot"], sandbox.provide, WebSettings())
    asked = json.dumps({"url": "http://localhost:8000/"} | arguments)
    return await toolbox.call("screenshot", asked, lambda data: None)


async def test_the_picture_is_saved_and_the_model_reads_what_is_on_the_page(
    sandbox: BrowserSandbox,
) -> None:
    actions = [{"do": "click", "target": "text=Start"}]
    result = await call(sandbox, save_as="shots/a.png", width=800, height=600, actions=actions)
    assert (sandbox.workspace / "shots/a.png").read_bytes() == PNG
    assert result.error is None
    assert result.changed == ("shots/a.png",)
    assert result.details["saved_as"] == "shots/a.png"
    assert result.text.splitlines() == [
        "Saved shots/a.png (800 x 600, 14 bytes).",
        "Title: Game; URL: http://localhost:8000/",
        "[console error: boom]",
        "[uncaught: Error: x]",
        '- heading "Game"',
        '- button "Start"',
    ]
    assert sandbox.asked == {
        "url": "http://localhost:8000/",
        "width": 800,
        "height": 600,
        "actions": [{"do": "click", "target": "text=Start", "text": ""}],
    }


async def test_a_file_of_the_workspace_is_a_page(sandbox: BrowserSandbox) -> None:
    await call(sandbox, url="my game/index.html")
    assert sandbox.asked["url"] == "file:///workspace/my%20game/index.html"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "http://localhost.evil.example/",
        "http://localhost@evil.example/",
        "file:///etc/passwd",
        "javascript://localhost/%0aalert(1)",
        "http://[/",
        "/etc/passwd",
        "../x.html",
    ],
)
async def test_other_pages_are_refused(sandbox: BrowserSandbox, url: str) -> None:
    result = await call(sandbox, url=url)
    assert result.error == "not_inside"
    assert not hasattr(sandbox, "asked")


async def test_an_action_that_fails_is_said_and_the_picture_is_there(
    sandbox: BrowserSandbox,
) -> None:
    failed = "action 1 (click) failed: Timeout 5000ms exceeded."
    sandbox.answer = json.dumps(SEEN | {"failed": failed}).encode()
    result = await call(sandbox)
    assert result.error == "action_failed"
    assert f"[{failed}]" in result.text
    assert (sandbox.workspace / "screenshot.png").exists()


async def test_a_picture_does_not_replace_another_kind_of_file(sandbox: BrowserSandbox) -> None:
    result = await call(sandbox, save_as="app.py")
    assert result.error == "bad_arguments"


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "timeout"),
        (b"not json", "browser_failed"),
        (b"[]", "browser_failed"),
        (json.dumps(SEEN | {"image": "AAAA"}).encode(), "browser_failed"),
        (json.dumps(SEEN | {"image": "\u00e9"}).encode(), "browser_failed"),
        (json.dumps(SEEN | {"image": 3}).encode(), "browser_failed"),
        (b'{"error": "missing"}', "no_browser"),
        (b'{"error": "browser", "message": "net::ERR_CONNECTION_REFUSED"}', "page_failed"),
        (b'{"error": 1, "message": []}', "page_failed"),
    ],
)
async def test_what_a_browser_may_say_saves_nothing(
    sandbox: BrowserSandbox, answer: bytes, error: str
) -> None:
    sandbox.answer = answer
    result = await call(sandbox)
    assert result.error == error
    assert not (sandbox.workspace / "screenshot.png").exists()


@pytest.mark.hostile
async def test_what_a_page_says_is_bounded_and_shows_no_escapes(sandbox: BrowserSandbox) -> None:
    wild = {
        "title": "a\x1b[2J\n" * 10_000,
        "url": "u\u202e" * 10_000,
        "tree": "- \x1b[31mred\n" * 10_000,
        "messages": ["m\n" * 5_000] * 10_000,
    }
    sandbox.answer = json.dumps(SEEN | wild).encode()
    result = await call(sandbox)
    assert len(result.text) < 50_000
    assert "\x1b" not in result.text
    assert result.cut is not None
    for kind in ("title", "url", "tree", "messages"):
        values: list[Any] = [None, 3, [], {}, [[]], "\ud800"]
        for value in values:
            sandbox.answer = json.dumps(SEEN | {kind: value}).encode()
            assert (await call(sandbox)).error in (None, "browser_failed")


def test_only_the_image_with_a_browser_has_the_tool_unasked() -> None:
    assert "screenshot" in ALL_TOOLS
    assert default_tools("sii-sandbox:latest") == TOOL_NAMES == ALL_TOOLS[:-1]
    assert default_tools(SII_IMAGES["web"].tag) == ALL_TOOLS


def test_the_tool_is_described_as_it_was() -> None:
    """Another hash is another training distribution: say so in the CHANGELOG."""

    async def nothing() -> Sandbox:
        raise AssertionError

    toolbox = Toolbox(["screenshot"], nothing, WebSettings())
    assert toolbox.sha256[:16] == "165fb72c8f0d4cd7"
    assert json.dumps(toolbox.schemas).isascii()
