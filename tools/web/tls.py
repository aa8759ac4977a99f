"""Which certificates are trusted: certifi's and the system's, or those of `SSL_CERT_FILE`."""

from __future__ import annotations

import os
import ssl
from functools import cache


class NoCertificates(Exception):
    """Raised when the certificates of the environment cannot be read; the message is a sentence."""


def trusted() -> ssl.SSLContext:
    """Return the context for connections to servers. Raises `NoCertificates`."""
    return _trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _trusted(file: str | None, folder: str | None) -> ssl.SSLContext:
    import certifi

    for name, path, is_there in (
        ("SSL_CERT_FILE", file, os.path.isfile),
        ("SSL_CERT_DIR", folder, os.path.isdir),
    ):
        if path and not is_there(path):
            raise NoCertificates(f"{name} names {path}, which does not exist: correct or unset it.")
    try:
        named = file or folder
        context = ssl.create_default_context(
            cafile=(file or None) if named else certifi.where(), capath=folder or None
        )
    except (OSError, ssl.SSLError) as error:
        message = f"SSL_CERT_FILE names {file}, which cannot be read: {error}."
        raise NoCertificates(message) from None
    context.load_default_certs()
    return context
