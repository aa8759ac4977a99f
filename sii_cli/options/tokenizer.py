"""The option that names a tokenizer, with which token ids are shown as text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sii_cli.errors import UsageError
from sii_cli.options.settings import load_for_recordings

if TYPE_CHECKING:
    from sii_cli.tokenizer.token_text import TokenText

tokenizer_option = click.option(
    "--tokenizer",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The model's folder or its tokenizer.json, to show token ids as text; else that of your "
    "settings.",
)


def load_token_text(path: Path | None) -> TokenText | None:
    """Return what spells ids, by this tokenizer or that of the settings; `None` without one.

    Raises `UsageError` for a file that is not a tokenizer.
    """
    path = path or load_for_recordings().tokenizer
    if path is None:
        return None
    from sii_cli.tokenizer.token_text import TokenText
    from sii_cli.tokenizer.tokenizer_file import UnknownTokenizer

    try:
        return TokenText.load(path)
    except UnknownTokenizer as error:
        raise UsageError(f"{error}: name the model's folder with --tokenizer.") from None
