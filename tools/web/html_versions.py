"""Which papers on the web have a version in HTML, which reads better than their PDF."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_ARXIV = ("arxiv.org", "www.arxiv.org")
_ARXIV_PATH = re.compile(r"/(?:abs|pdf)/([0-9]{4}\.[0-9]{4,5}(?:v[0-9]{1,3})?)(?:\.pdf)?/?")


def html_version(url: str) -> str | None:
    """Return where a paper may be in HTML, or `None`. It is not known whether it is there."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname
    except ValueError:
        return None
    found = _ARXIV_PATH.fullmatch(parts.path) if host in _ARXIV else None
    return f"{parts.scheme}://{parts.netloc}/html/{found[1]}" if found else None
