"""What a model may call: one file a tool, its description in a `.md` beside it, a registry."""

__distribution__ = "sii-cli"
