"""The program: commands, configuration, session, loop, model layer, prompt, rendering."""

__distribution__ = "sii-cli"
__version__ = "0.1.0"
