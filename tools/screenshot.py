"""The `screenshot` tool: a page in the sandbox's browser, as a picture and as text.

The program that drives the browser is `sandbox/runner/browser.py`, its libraries in the image.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import orjson
from pydantic import Field

from sandbox.client.launch import MOUNTED
from sandbox.protocol import WORKSPACE, SandboxProvider
from tools.base import Cut, Emit, Params, Tool, ToolError, ToolResult
from tools.files import SessionFiles, in_workspace
from tools.output import show
from tools.text import displayed, one_line

SECONDS = 90.0
"""For one page and all that is done on it."""
_ANSWER = 16 << 20
"""Bytes: the picture and the text as JSON."""
_TREE = 20_000
"""Characters of the tree that are shown."""
_MESSAGES = 30
_LINE = 500
_PNG = b"\x89PNG\r\n\x1a\n"
_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_PROGRAM = (
    f"import sys; sys.path.insert(0, {posixpath.dirname(MOUNTED)!r}); "
    "from runner.browser import main; main()"
)


class ScreenshotAction(Params):
    """One thing to do on the page."""

    do: Literal["click", "type", "press", "wait"] = Field(description="What to do.")
    target: str = Field(
        "",
        description="Of click and type: a Playwright selector (text=Start, #name, "
        'role=button[name="Go"]), or x,y for a click at a place.',
        max_length=500,
    )
    text: str = Field(
        "",
        description="Of type: the text. Of press: a key (Enter, ArrowLeft, Control+a). "
        "Of wait: seconds, at most 5.",
        max_length=2000,
    )


class ScreenshotParams(Params):
    """Which page, and what to do on it."""

    url: str = Field(
        description="A file of the workspace, or a URL of localhost.", min_length=1, max_length=2000
    )
    save_as: str = Field(
        "screenshot.png",
        description="Path of the picture, ending in .png; relative to /workspace.",
        max_length=4096,
    )
    width: int = Field(1280, description="Of the viewport, in pixels.", ge=100, le=1600)
    height: int = Field(800, description="Of the viewport, in pixels.", ge=100, le=1600)
    actions: list[ScreenshotAction] = Field(
        [], description="What to do before the picture is taken, in order.", max_length=30
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the browser says of a page."""

    title: str
    url: str
    tree: str
    messages: list[str]
    failed: str
    image: bytes


class Screenshot(Tool[ScreenshotParams]):
    """Shows pages of the sandbox."""

    name = "screenshot"
    params = ScreenshotParams

    def __init__(self, sandbox: SandboxProvider, files: SessionFiles) -> None:
        self._sandbox = sandbox
        self._files = files

    async def run(self, params: ScreenshotParams, emit: Emit) -> ToolResult:
        """Open the page, act on it, and save the picture."""
        if not params.save_as.endswith(".png"):
            raise ToolError("bad_arguments", "save_as is the path of a picture: end it in .png.")
        seen = await self._see(params)
        before = await self._files.read_if_there(params.save_as)
        written, _ = await self._files.overwrite(params.save_as, seen.image, before)
        size = f"{params.width} x {params.height}, {len(seen.image):,} bytes"
        tree = displayed(seen.tree)
        shown = tree[:_TREE]
        lines = [
            f"Saved {displayed(params.save_as)} ({size}).",
            *map(displayed, _about(seen)),
            shown or "[the page has nothing in its accessibility tree]",
        ]
        left = len(tree.encode()) - len(shown.encode())
        if left:
            lines.append(f"[the tree has {left:,} bytes more]")
        return ToolResult(
            "\n".join(lines),
            error="action_failed" if seen.failed else None,
            cut=Cut(left, tree.count("\n") - shown.count("\n")) if left else None,
            full=tree.encode() if left else None,
            changed=in_workspace(written),
            details={
                "saved_as": params.save_as,
                "sha256": hashlib.sha256(seen.image).hexdigest(),
                "url": one_line(displayed(seen.url), _LINE),
            },
        )

    async def _see(self, params: ScreenshotParams) -> _Seen:
        sandbox = await self._sandbox()
        asked = params.model_dump(include={"width", "height", "actions"})
        asked["url"] = _address(params.url)
        argv = ["python3", "-I", "-B", "-c", _PROGRAM, json.dumps(asked)]
        try:
            done = await sandbox.run(argv, timeout=SECONDS, max_output=_ANSWER)
        except TimeoutError:
            words = f"The page was not shown within {SECONDS:.0f} s; nothing was saved."
            raise ToolError("timeout", words) from None
        answer = _parsed(done.stdout) if done.exit_code == 0 else None
        if answer is None:
            words = one_line(show(done.stderr[-_LINE:]), _LINE)
            raise ToolError("browser_failed", f"The browser failed; nothing was saved. {words}")
        if answer.get("error") == "missing":
            raise ToolError(
                "no_browser",
                "This sandbox has no browser that Playwright drives (of sii's images web has one).",
            )
        if answer.get("error"):
            words = one_line(displayed(_text(answer, "message")), _LINE)
            raise ToolError("page_failed", f"The page could not be shown: {words}")
        return _seen(answer)


def _address(url: str) -> str:
    """Return the address of a file or of a server inside. Raises `ToolError`."""
    if "://" in url:
        try:
            parts = urlsplit(url)
            is_inside = parts.scheme in ("http", "https") and parts.hostname in _HOSTS
        except ValueError:
            is_inside = False
        if not is_inside:
            words = "is neither a file of the workspace nor a URL of localhost"
            raise ToolError("not_inside", f"{one_line(displayed(url), 200)} {words}.")
        return url
    path = posixpath.normpath(posixpath.join(WORKSPACE, url))
    if not path.startswith(f"{WORKSPACE}/"):
        raise ToolError("not_inside", f"{one_line(displayed(url), 200)} is not in the workspace.")
    return f"file://{quote(path, errors='replace')}"


def _parsed(output: bytes) -> dict[str, Any] | None:
    try:
        answer = orjson.loads(output)
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None


def _text(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def _seen(answer: dict[str, Any]) -> _Seen:
    """Read what the browser says: a page may have made it say anything. Raises `ToolError`."""
    try:
        image = base64.b64decode(_text(answer, "image"), validate=True)
    except (binascii.Error, ValueError):
        image = b""
    if not image.startswith(_PNG):
        raise ToolError("browser_failed", "The browser made no picture; nothing was saved.")
    messages = answer.get("messages")
    return _Seen(
        title=_text(answer, "title"),
        url=_text(answer, "url"),
        tree=_text(answer, "tree"),
        messages=[one for one in messages if isinstance(one, str)]
        if isinstance(messages, list)
        else [],
        failed=_text(answer, "failed"),
        image=image,
    )


def _about(seen: _Seen) -> Iterator[str]:
    yield f"Title: {one_line(seen.title, _LINE) or '(none)'}; URL: {one_line(seen.url, _LINE)}"
    if seen.failed:
        yield f"[{one_line(seen.failed, _LINE)}]"
    for message in seen.messages[:_MESSAGES]:
        yield f"[{one_line(message, _LINE)}]"
    if len(seen.messages) > _MESSAGES:
        yield f"[{len(seen.messages) - _MESSAGES} messages more]"
