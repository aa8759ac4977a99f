"""The errors of model calls: one exception, and its two kinds that no retry helps.

ModelCallFailed          the server, or the way to it
├── ModelCallRefused     what the request says, or where it was sent
└── PromptTooLong        the prompt does not fit the context
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from sii_cli.errors import FAILED, INFRASTRUCTURE, LIMIT, SiiError

if TYPE_CHECKING:
    from recordings.events import ModelErrorKind


class ModelCallFailed(SiiError):
    """Raised when a model server or the way to it fails; the message is a sentence with the remedy.

    A request that is sent again raises nothing: the stream yields a `RequestFailed` with it.
    """

    exit_code = INFRASTRUCTURE

    def __init__(
        self,
        kind: ModelErrorKind,
        message: str,
        *,
        status: int | None = None,
        retry: bool = True,
        retry_after: float | None = None,
    ) -> None:
        """`kind`: connect, dns, tls, timeout, idle, broken_stream, no_finish, garbage, engine_dead,
        rate_limited, unavailable, server_error; the subclasses have kinds of their own. `status`:
        of the HTTP response. `retry`: sending the request again may help; `retry_after`: seconds
        that the server asked to wait before.
        """
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.retry = retry
        self.retry_after = retry_after

    def with_message(self, message: str) -> Self:
        """Return this failure, with another message."""
        self.args = (message,)
        return self


class ModelCallRefused(ModelCallFailed):
    """Raised when a server refuses a request for what it says, or an address or a profile is wrong.

    Kinds: unauthorized, unknown_model, tools_refused, bad_request, bad_url, bad_profile.
    """

    exit_code = FAILED

    def __init__(self, kind: ModelErrorKind, message: str, *, status: int | None = None) -> None:
        super().__init__(kind, message, status=status, retry=False)


class PromptTooLong(ModelCallFailed):
    """Raised when the prompt of a request does not fit the model's context. Its kind: overflow."""

    exit_code = LIMIT

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__("overflow", message, status=status, retry=False)
