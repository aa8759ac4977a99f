"""Exit codes, and the errors a user may meet: one sentence with the remedy, never a traceback."""

from __future__ import annotations

DONE = 0
FAILED = 1
USAGE = 2
LIMIT = 3
INFRASTRUCTURE = 4
INTERRUPTED = 130

EXIT_CODES = """\
Exit codes:
  0    done
  1    failed
  2    wrong usage or settings
  3    a limit was reached (steps, context, length of a message, repetition)
  4    infrastructure: the server, the sandbox or the disk
  130  interrupted
"""

ROUND_EXIT_CODES = {
    "answered": DONE,
    "failed": FAILED,
    "limit": LIMIT,
    "cut_off": LIMIT,
    "empty": FAILED,
    "loop": LIMIT,
    "infra": INFRASTRUCTURE,
    "interrupted": INTERRUPTED,
}
"""By the status of the last round (`recordings.events.RoundStatus`)."""


class SiiError(Exception):
    """Something the user should know: the message is one sentence with the remedy."""

    exit_code = FAILED


class UsageError(SiiError):
    """The command line or a setting is wrong."""

    exit_code = USAGE


def explain(error: Exception) -> SiiError | None:
    """Turn an error that speaks to the user into one with an exit code; none for a bug of ours.

    The imports are here because an error is rare and a start is not.
    """
    from recordings.errors import RecordingError, RecordingNotFound
    from sandbox.protocol import SandboxError
    from sandbox.snapshots import SnapshotError

    if isinstance(error, SiiError):
        return error
    match error:
        case RecordingNotFound():
            code = USAGE
        case SandboxError() | SnapshotError() | RecordingError():
            code = INFRASTRUCTURE
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return SiiError(f"{where}{error.strerror or error}.")
        case _:
            return None
    explained = SiiError(str(error))
    explained.exit_code = code
    return explained
