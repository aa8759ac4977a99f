"""Which charsets of the web are decoded: those that browsers know, as Python's codecs.

Python takes more names than these: punycode, idna and escapes of its own, some of which take
quadratic time.
"""

from __future__ import annotations

import codecs

_KNOWN = frozenset(
    [
        *("ascii", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"),
        *(f"iso8859-{part}" for part in range(1, 17) if part != 12),
        *(f"cp{page}" for page in (437, 850, 866, 874, 932, 949, 950, *range(1250, 1259))),
        *("koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "tis-620"),
        *("gb2312", "gbk", "gb18030", "hz", "big5", "big5hkscs", "euc_kr", "euc_jp"),
        *("shift_jis", "shift_jisx0213", "iso2022_jp", "iso2022_kr"),
    ]
)


def known_charset(name: str | None) -> str | None:
    """Return a charset that a server names, if it is one of the web."""
    try:
        return name if name and codecs.lookup(name).name in _KNOWN else None
    except (LookupError, ValueError):
        return None
