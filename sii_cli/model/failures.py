"""What goes wrong between sii and a model → `ModelCallFailed`, with a kind and the remedy."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from sii_cli.model.assemble import words_in
from sii_cli.model.errors import ModelCallFailed, ModelCallRefused, PromptTooLong
from sii_cli.model.http.sse import BadStream
from sii_cli.model.http.transport import AnswerCompressed, BadKey, BadUrl, ProxyFailed
from sii_cli.model.profiles import profile_of
from sii_cli.model.response_limits import ResponseTooLarge
from tools.web.proxies import BadProxy
from tools.web.tls import NoCertificates

if TYPE_CHECKING:
    from recordings.events import ModelErrorKind

RETRIED_STATUS = (408, 429, 500, 502, 503, 504)
"""Of a server that is busy, not ready or broken, where the request itself may be right."""
LONGEST_SAID = 600
"""Characters of a server's own words in a message."""
LONGEST_NAME = 120
_USER = re.compile(r"//[^/]*@")
NO_REASON = "no reason given"
_KEY_WORDS = (
    *("api key", "api_key", "api-key", "apikey", "invalid key", "invalid token", "access token"),
    *("bearer", "credential", "unauthori", "authenti"),
)


def failure_of_status(
    status: int, body: bytes, headers: Mapping[str, str], model: str
) -> ModelCallFailed:
    """Return the failure that an HTTP error status means."""
    said, param = _said(body)
    if 300 <= status < 400:
        message = (
            f"The server redirects to {shown_name(headers.get('Location') or 'nowhere')} "
            f"({status}), which is not followed, since the key would go along: set SII_BASE_URL "
            "to the address that is meant."
        )
        return ModelCallRefused("bad_url", message, status=status)
    if status == 401 or (status == 403 and _is_about_the_key(said)):
        message = "The server refuses the key: set SII_API_KEY to the one that it was started with."
        return ModelCallRefused("unauthorized", message, status=status)
    if status in (403, 407):
        message = f"The server, or a gateway before it, refuses the request ({status}): {said}"
        return ModelCallRefused("bad_request", message, status=status)
    if status == 404 and "model" not in said:
        message = f"No model server's API is there (404: {said}): check SII_BASE_URL."
        return ModelCallRefused("bad_url", message, status=status)
    if status == 404:
        message = f"The server does not serve {model!r} ({said}): see `sii config`, set SII_MODEL."
        return ModelCallRefused("unknown_model", message, status=status)
    if status in RETRIED_STATUS:
        return _failure_of_server(status, said, headers.get("Retry-After"))
    if status == 400 and (param == "input_tokens" or "maximum context length" in said):
        message = f"The conversation does not fit the model's context: {said}"
        return PromptTooLong(message, status=status)
    if status == 400 and "--enable-auto-tool-choice" in said:
        message = (
            f"The server accepts no tool calls: start vLLM with `{profile_of(model).tool_flags}`."
        )
        return ModelCallRefused("tools_refused", message, status=status)
    message = f"The server refuses the request ({status}): {said}"
    return ModelCallRefused("bad_request", message, status=status)


def _failure_of_server(status: int, said: str, retry_after: str | None) -> ModelCallFailed:
    """Return the failure that one of `RETRIED_STATUS` means."""
    if status == 500 and "EngineCore" in said:
        # vLLM answers so for some seconds, until its front end has ended, too.
        message = "The server's engine has died (500): it is on its way down, start it again."
        return ModelCallFailed("unavailable", message, status=status)
    kind: ModelErrorKind
    match status:
        case 429:
            kind, message = "rate_limited", "The server is busy (429)."
        case 503:
            kind, message = "unavailable", f"The server is not ready (503): {said}."
        case _:
            kind, message = "server_error", f"The server failed ({status}): {said}."
    return ModelCallFailed(kind, message, status=status, retry_after=_seconds(retry_after))


def failure_of_exception(error: Exception, base_url: str) -> ModelCallFailed | None:
    """Return the failure that an exception of a request means, or `None` for a bug in sii."""
    return _failure_of_answer(error) or _failure_of_connection(error, base_url)


def _failure_of_answer(error: Exception) -> ModelCallFailed | None:
    """Return what is wrong with an answer that has come."""
    match error:
        case ModelCallFailed():
            return error
        case ResponseTooLarge():
            message = (
                f"The server sent {error}, which no answer to this request has: "
                "see its log, or use another server."
            )
            return ModelCallFailed("garbage", message, retry=False)
        case AnswerCompressed():
            message = (
                f"The server compressed its answer ({error}), which it was not asked to do: "
                "turn compression off in it, or in the gateway before it."
            )
            return ModelCallFailed("garbage", message, retry=False)
        case BadStream():
            return ModelCallFailed("garbage", f"The server sent {error} instead of an answer.")
        case orjson.JSONDecodeError():
            return ModelCallFailed(
                "garbage", f"The server sent no JSON within its answer ({error})."
            )
        case _:
            return None


def _failure_of_connection(error: Exception, base_url: str) -> ModelCallFailed | None:
    """Return what is wrong with the way to a server."""
    match error:
        case BadProxy() | NoCertificates():
            return ModelCallRefused("bad_url", str(error))
        case ProxyFailed():
            return ModelCallFailed("connect", str(error))
        case aiohttp.ConnectionTimeoutError():
            return ModelCallFailed(
                "timeout", f"No connection to {base_url} in time. {_start_one()}"
            )
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            said = f"({_words(error)}): set SSL_CERT_FILE."
            message = f"The certificate of {base_url} is not trusted here {said}"
            return ModelCallFailed("tls", message, retry=False)
        case aiohttp.ClientConnectorDNSError():
            return ModelCallFailed(
                "dns", f"The name in {base_url} is not known here: check SII_BASE_URL."
            )
        case aiohttp.ClientConnectorError():
            return ModelCallFailed("connect", f"No server answers at {base_url}. {_start_one()}")
        case TimeoutError():
            return ModelCallFailed("idle", "The server has gone silent.")
        case BadUrl() | aiohttp.InvalidURL() | UnicodeError():
            shown = _USER.sub("//", base_url)
            message = f"{shown!r} is not a URL of a server: set SII_BASE_URL to http://HOST:PORT."
            return ModelCallRefused("bad_url", message)
        case BadKey():
            message = "SII_API_KEY has a line's end, or another character that cannot be sent."
            return ModelCallRefused("unauthorized", message)
        case aiohttp.ClientResponseError():
            message = f"What answers at {base_url} does not speak HTTP ({error.message:.200})."
            return ModelCallFailed("broken_stream", " ".join(message.split()))
        case aiohttp.ClientError():
            return ModelCallFailed("broken_stream", f"The connection broke ({_words(error):.200}).")
        case _:
            return None


def _start_one() -> str:
    return "Start one (`sii serve MODEL`), or set SII_BASE_URL to where it is."


def shown_name(value: object) -> str:
    """Return a name or an address from a server for a message: one line, cut."""
    text = value if isinstance(value, str) else type(value).__name__
    line = "".join(c if c.isprintable() else "?" for c in text[:LONGEST_NAME])
    return line + "…" * (len(text) > LONGEST_NAME)


def _is_about_the_key(said: str) -> bool:
    """Return whether a refusal (403) gives no reason, or the key as its reason."""
    words = said.lower()
    return said == NO_REASON or any(word in words for word in _KEY_WORDS)


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _said(body: bytes) -> tuple[str, str | None]:
    """Return the message of an error body, and the parameter that it names."""
    try:
        parsed: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _line(body[:LONGEST_SAID].decode("utf-8", "replace")) or NO_REASON, None
    error = parsed.get("error", parsed) if isinstance(parsed, dict) else parsed
    if isinstance(error, dict):
        return _line(words_in(error.get("message", error))), error.get("param")
    return _line(words_in(error)), None


def _line(text: str) -> str:
    return " ".join(text[:LONGEST_SAID].split())


def _seconds(header: str | None) -> float | None:
    """Read a `Retry-After` header: seconds, or a date (RFC 9110, 10.2.3)."""
    if header is None:
        return None
    with suppress(ValueError):
        return max(0.0, float(header))
    with suppress(ValueError, TypeError, OverflowError):
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    return None
