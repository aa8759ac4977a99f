"""The `sii` program: runs a command and turns errors into a sentence and an exit code.

Imports next to nothing, so that `sii --version` answers at once.
"""

from sii_cli.import_path import PACKAGES, clean_if_program, handle_interrupts

clean_if_program()  # before anything else is imported

import os  # noqa: E402
import sys  # noqa: E402

from sii_cli import __version__  # noqa: E402
from sii_cli.errors import DONE, FAILED, INTERRUPTED, OUTPUT_CLOSED, USAGE, explain  # noqa: E402
from sii_cli.output_pipe import OutputClosed, detect_closed_pipes  # noqa: E402

TYPE_CHECKING = False  # `typing` takes a third of the time that `--version` does
if TYPE_CHECKING:
    import click


def main() -> None:
    """Run `sii` and exit with its code."""
    if sys.argv[1:2] == ["--debug"]:
        del sys.argv[1]
        os.environ["SII_DEBUG"] = "1"
    _open_closed_streams()
    detect_closed_pipes()
    try:
        code = _run()
    except OutputClosed:
        code = OUTPUT_CLOSED
    sys.exit(code)


def _open_closed_streams() -> None:
    """Open what the caller closed (`<&-`): the next file opened, a recording perhaps, would get
    its number, and what is printed there.
    """
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115


def _run() -> int:
    try:
        handle_interrupts()
        return _show_version() if sys.argv[1:] == ["--version"] else _run_command()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return _report(error)


def _show_version() -> int:
    sys.stdout.write(f"sii {__version__}\n")
    sys.stdout.flush()
    return DONE


def _run_command() -> int:
    import click

    from sii_cli.commands.group import cli

    try:
        code = cli.main(prog_name="sii", standalone_mode=False)
    except click.Abort:
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        _say(
            f"{_in_plain_words(error.format_message().rstrip('.'))} (see `{_asked(error)} --help`)."
        )
        return USAGE
    return code if isinstance(code, int) else DONE


def _in_plain_words(text: str) -> str:
    for click_word, word in (("integer", "whole number"), ("float", "number")):
        text = text.replace(f"is not a valid {click_word} range", f"is not a {word}")
    return text


def _asked(error: "click.ClickException") -> str:
    """Return the command whose help says how it is used."""
    from sii_cli.commands.group import PROMPT

    context = getattr(error, "ctx", None)
    if context is None or context.info_name == PROMPT:
        return "sii"
    return str(context.command_path)


def _report(error: Exception) -> int:
    if os.environ.get("SII_DEBUG"):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, ImportError) and (error.name or "").split(".")[0] in PACKAGES:
        _say(
            f"files of sii are missing or not its own ({error}): another package in its Python "
            "environment has the same names; install sii in one of its own (pipx, uv tool)."
        )
        return FAILED
    known = explain(error)
    if known is None:
        what = f"{type(error).__name__}: {error}"
        _say(f"a fault of sii itself: {what} (see {_logged(error)}; SII_DEBUG=1 shows it here).")
        return FAILED
    _say(str(known))
    return known.exit_code


def _logged(error: Exception) -> str:
    """Write a fault of sii to the debug log, and return where that is."""
    from recordings.redaction.redactor import Redactor
    from recordings.redaction.secrets import SecretFinder, known_secrets
    from sii_cli.config.settings import find_key_home
    from sii_cli.debug_log import LOG, logger, start_log

    home = find_key_home(os.environ)
    start_log(home, lambda: Redactor(SecretFinder(known_secrets(os.environ, {}))).text)
    logger("sii_cli.main").error("a fault of sii", exc_info=error)
    return str(home / LOG)


def _say(text: str) -> None:
    from sii_cli.text.sanitise import sanitise

    sys.stderr.write(f"sii: {' '.join(sanitise(text).split())}\n")


if __name__ == "__main__":
    main()
