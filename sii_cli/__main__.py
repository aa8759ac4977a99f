"""Runs `sii`: `python -m sii_cli`, which is what the command does."""

from sii_cli.main import main

main()
