"""Whether a command line is written so plainly that bash and every parser read it the same way.

Bash has more ways to hide a command than a list of them can name. So what runs without a question
in the mode `ask` is written in a few forms alone, and everything else is a human's to decide.
"""

from __future__ import annotations

import re

_FORMS = rb"""
      [A-Za-z0-9_./:=@%+,^~*?-]++                     # a word outside quotes, ASCII alone
    | '[^'\0-\x08\x0b-\x1f]*+'
    | "(?:[^"\\$`\0-\x08\x0b-\x1f]++ | \\["\\$`] | \$(?:\w+|\{\w+\}))*+"
    | \$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\}|[0-9?])
    | \\[();*?.|+]                                    # `find . \( -name a -o -name b \)`
    | (?<![^ \t\n]) (?: \{\} | \[ | \] | != | !) (?![^ \t\n;])
    | (?<![^ \t\n;]) \#[^\n\0-\x08\x0b-\x1f]*+        # a comment
    | [ \t\n]
    | ;(?!;) | \|\|? | &&?
    | [0-9]?>>?(?:&[0-9])?(?![>&|(])
    | <(?![<>&(])
"""
_PLAIN = re.compile(rb"(?:" + _FORMS + rb")*+", re.VERBOSE | re.ASCII)


def is_plain(line: str) -> bool:
    """Tell whether a command line has only words, quoted texts, variables, and simple operators."""
    return _PLAIN.fullmatch(line.encode("utf-8", "replace")) is not None
