"""Exit codes, and the errors that a user may see: one sentence with the remedy, no traceback.

SiiError                        1
├── InfrastructureError         4
├── ModelCallFailed             4  sii_cli.model.errors
│   ├── ModelCallRefused        1  sii_cli.model.errors
│   └── PromptTooLong           3  sii_cli.model.errors
├── NotDone                     1  sii_cli.prompt.slash
├── NotWaiting                  1  sii_cli.inbox.reply
├── ServeFailed                 4  sii_cli.model_server.server
├── SourceRefused               1  sii_cli.queries.workspaces.errors
│   └── GitFailed               1  sii_cli.queries.workspaces.errors
├── UsageError                  2
│   ├── MessageTooLong          2  sii_cli.session.fits
│   └── WorkspaceGone           2  sii_cli.options.resume
├── WorkerLost                  1  sii_cli.batch.sessions.ray_executor
└── WorkspaceUnavailable        1  sii_cli.queries.workspaces.errors

The packages below have one root each, and `explain` gives them their exit codes:
`recordings.errors.RecordingError`, `sandbox.protocol.SandboxError`. A `tools.base.ToolError` is
an observation for the model and ends no command.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes a third of the time of `sii --version`
if TYPE_CHECKING:
    from typing import ClassVar

    from recordings.events import RoundStatus

DONE = 0
FAILED = 1
USAGE = 2
LIMIT = 3
INFRASTRUCTURE = 4
WAITING = 5
INTERRUPTED = 130
OUTPUT_CLOSED = 141
"""As a shell says of a program that a closed pipe ended."""

EXIT_CODES = """\
Exit codes:
  0    done
  1    failed
  2    wrong usage or settings
  3    a limit was reached (steps, context, length of a message, repetition)
  4    infrastructure: the server, the sandbox or the disk
  5    sessions of the batch wait for a reply (`sii inbox`)
  130  interrupted
  141  the reader of the output is gone (`| head`)
"""

ROUND_EXIT_CODES: dict[RoundStatus, int] = {
    "answered": DONE,
    "failed": FAILED,
    "limit": LIMIT,
    "cut_off": LIMIT,
    "empty": FAILED,
    "loop": LIMIT,
    "infra": INFRASTRUCTURE,
    "interrupted": INTERRUPTED,
}
"""By the end of the last round."""


class SiiError(Exception):
    """Raised when a command cannot do what was asked; the base of sii's errors."""

    exit_code: ClassVar[int] = FAILED


class UsageError(SiiError):
    """Raised when the command line or a setting is wrong."""

    exit_code = USAGE


class InfrastructureError(SiiError):
    """Raised when a server, the sandbox or the disk fails: an error of a package below."""

    exit_code = INFRASTRUCTURE


def explain(error: Exception) -> SiiError | None:
    """Return an error with its exit code, or None for a bug.

    Errors of the packages below become one of the classes here. The imports are in the function
    because errors are rare and starts are not.
    """
    import errno

    from recordings.errors import RecordingError, RecordingNotFound
    from sandbox.protocol import SandboxError

    match error:
        case SiiError():
            return error
        case RecordingNotFound():
            return UsageError(str(error))
        case SandboxError() | RecordingError():
            return InfrastructureError(str(error))
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            remedy = ": free some space, or write elsewhere" if error.errno == errno.ENOSPC else ""
            return SiiError(f"{where}{error.strerror or error}{remedy}.")
        case _:
            return None
