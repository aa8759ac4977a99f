"""What a human answered when asked whether a call may run, as one line."""

from __future__ import annotations

from recordings.events import PermissionAnswer


def permission_line(answered: PermissionAnswer) -> str:
    """Return the answer as a sentence, with the human's words."""
    who = answered.speaker or "the human"
    match answered.answer:
        case "once":
            return f"allowed by {who}"
        case "session":
            return f"allowed by {who} for this session: {', '.join(answered.rules)}"
        case "no":
            said = f": {answered.words}" if answered.words else ""
            return f"not allowed by {who}{said}"
