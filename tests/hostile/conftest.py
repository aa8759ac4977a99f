"""What attacks share: a shell of their own."""

from tests.sii_cli.conftest import shell

__all__ = ["shell"]
