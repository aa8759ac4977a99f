"""Where calls run: one protocol, its backends, and the runner that lives inside."""

__distribution__ = "sii-cli"
