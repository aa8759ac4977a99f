"""Turns what a server answered into text for a model.

HTML is converted in a process of its own, so that no page can stall or end this one.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
from dataclasses import dataclass
from pathlib import Path

from sandbox.host_programs import python_command
from tools.base import ToolOutage
from tools.filetypes import describe_binary
from tools.output import show
from tools.text import decode_text
from tools.web.fetch import FetchResult
from tools.web.html_to_markdown import NOT_CONVERTED

_CONVERTER = Path(__file__).with_name("html_to_markdown.py")
_CONVERTER_TIMEOUT = 30.0
_HTML = ("text/html", "application/xhtml+xml")
_TEXT_ENDINGS = ("json", "xml", "yaml", "javascript", "ecmascript", "x-sh", "toml", "csv")


@dataclass(frozen=True, slots=True)
class Page:
    """A page as text."""

    text: str
    note: str = ""
    """What a reader of the text must know, as sentences."""


async def read_page(fetched: FetchResult) -> Page:
    """Return markdown of HTML, text as it is, and of everything else a description.

    Raises `ToolOutage` when the program that converts pages is broken.
    """
    note = "the page is too large: this is its beginning" if fetched.truncated else ""
    kind = fetched.content_type
    body = fetched.body
    is_misnamed = kind not in _HTML and not kind.startswith("text/") and _is_html(body)
    if kind in _HTML or is_misnamed or (not kind and body.lstrip()[:1] == b"<"):
        text = await _markdown(fetched)
        if is_misnamed and kind:
            note = "; ".join(filter(None, (note, f"served as {kind}, and is a web page")))
        if text is not None:
            return Page(text, note)
        return Page(_decoded(body, fetched.charset), "the page could not be converted: its HTML")
    is_text = not kind or kind.startswith("text/") or kind.endswith(_TEXT_ENDINGS)
    if is_text and decode_text(body) is not None:
        return Page(_decoded(body, fetched.charset), note)
    size = f"{'more than ' if fetched.truncated else ''}{len(body):,} bytes"
    named = f" ({kind})" if kind else ""
    return Page("", f"{describe_binary(body)}{named}, {size}; only text can be shown")


def _is_html(body: bytes) -> bool:
    return body[:512].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _decoded(body: bytes, charset: str | None) -> str:
    content = decode_text(body)
    if charset and (content is None or content.note):
        with contextlib.suppress(LookupError, ValueError):
            text = body.decode(codecs.lookup(charset).name, "replace")
            return show(text.replace("\r\n", "\n").encode("utf-8", "replace"))
    text = content.text if content else body.decode("utf-8", "replace")
    return show(text.replace("\r\n", "\n").encode("utf-8", "surrogateescape"))


async def _markdown(fetched: FetchResult) -> str | None:
    """Convert HTML; `None` when the page is too much for it. Raises `ToolOutage`."""
    try:
        process = await asyncio.create_subprocess_exec(
            *python_command(str(_CONVERTER), fetched.url, fetched.charset or ""),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise _broken(fetched, str(error)) from None
    try:
        async with asyncio.timeout(_CONVERTER_TIMEOUT):
            output, _ = await process.communicate(fetched.body)
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    code = process.returncode
    if code is not None and code > 0 and code != NOT_CONVERTED:
        raise _broken(fetched, f"exit code {code}")
    return show(output) if code == 0 else None


def _broken(fetched: FetchResult, how: str) -> ToolOutage:
    return ToolOutage(
        f"{fetched.url} was fetched, but the program that turns pages into text is broken here "
        f"({how}): this is not the fault of the page."
    )
