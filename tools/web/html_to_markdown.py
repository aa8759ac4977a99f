"""A program: HTML on stdin, readable markdown on stdout. Arguments: the page's URL, its charset.

It runs in a process of its own and limits itself, since pages are hostile; it imports nothing of
this project.
"""

from __future__ import annotations

import codecs
import contextlib
import resource
import sys

MEMORY = 2 << 30
CPU_SECONDS = 25
NOT_CONVERTED = 65
"""Exit code when the page is at fault; any other failure is one of this program."""
MAX_TEXT = 8 << 20
"""Bytes of markdown: lists in lists are indented, and become many times their HTML."""
CUT = b"\n\n[the text is too long: this is its beginning]"
SHORT = 500
"""Characters below which an extract is doubted and compared with the whole page."""


def main() -> None:
    """Convert stdin to stdout."""
    limit(resource.RLIMIT_AS, MEMORY)
    limit(resource.RLIMIT_CPU, CPU_SECONDS)
    url, charset = sys.argv[1:3]
    try:
        page = decode(sys.stdin.buffer.read(), charset)
        text = convert(page, url).encode("utf-8", "replace")
    except ImportError:  # this program is broken, whatever the page
        raise
    except Exception:
        sys.exit(NOT_CONVERTED)
    sys.stdout.buffer.write(text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + CUT)


def limit(what: int, most: int) -> None:
    """Limit a resource, unless it is limited further already."""
    _, hard = resource.getrlimit(what)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(what, (most, most))


def decode(body: bytes, charset: str) -> str:
    """Decode by the server's charset, or else by what the page itself says or looks like."""
    from trafilatura.utils import decode_file

    with contextlib.suppress(LookupError):
        return body.decode(codecs.lookup(charset).name, "replace")
    return str(decode_file(body))


def convert(page: str, url: str) -> str:
    """Return the page's main text as Markdown, or all its text when little main text is found."""
    import trafilatura

    text = trafilatura.extract(
        page,
        url=url,
        output_format="markdown",
        include_links=True,
        include_tables=True,
        include_formatting=True,
        favor_recall=True,
    )
    text = text or ""
    if len(text) < SHORT:
        whole = whole_page(page)
        if len(whole) > 2 * len(text):
            text = whole
    title = trafilatura.extract_metadata(page, default_url=url).title
    if title and title.strip() not in text[:SHORT]:
        text = f"# {title.strip()}\n\n{text}"
    return text.strip()


def whole_page(page: str) -> str:
    """Convert everything that a reader of the page sees."""
    import re

    import trafilatura
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    try:
        soup = BeautifulSoup(page, "lxml")
        for unseen in soup(["script", "style", "noscript", "template", "svg", "head"]):
            unseen.decompose()
        text = MarkdownConverter(heading_style="ATX").convert_soup(soup)
    except RecursionError:
        text = trafilatura.html2txt(page)
    return re.sub(r"\n\s*\n\s*\n+", "\n\n", str(text)).strip()


if __name__ == "__main__":
    main()
