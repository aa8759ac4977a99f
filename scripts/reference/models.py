"""The page of model profiles, from the file that is shipped and its comments."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib import resources

from scripts.reference.markdown import fenced, page, plain, table
from sii_cli.model.forms.registry import FORMS
from sii_cli.model.profiles import USER_FILE

_EXAMPLE = """\
[[profile]]
name = "My fine-tune"
match = ["*my-glm*"]
tool_call_parser = "glm45"
reasoning_parser = "glm45"
context_length = 65536
sampling = { temperature = 0.7, top_p = 0.95 }
"""


def pages() -> dict[str, str]:
    """Return the page of model profiles."""
    text = resources.files("sii_cli.model").joinpath("profiles.toml").read_text("utf-8")
    forms = resources.files("sii_cli.model.ids").joinpath("forms.toml").read_text("utf-8")
    shipped = [
        *((form.name, _code(form.match)) for form in FORMS),
        *((one["name"], _code(one["match"])) for one in tomllib.loads(text)["profile"]),
    ]
    families = [(form.name, _code(form.parsers)) for form in FORMS]
    return {
        "models.md": page(
            f"Model profiles: `{USER_FILE}`",
            "A profile says what is known of a model by its name: its parsers, its tokens, its "
            "limits. `sii serve`, `sii doctor` and sessions use it. All profiles whose pattern "
            f"fits apply, later ones over earlier ones. Yours stand in `$SII_HOME/{USER_FILE}` "
            "and come last. A field left out stays as it is; a field that is not known is an "
            "error. A model without any profile works, with what the server tells about it.",
            fenced(_EXAMPLE, "toml"),
            "## Fields",
            table(("field", ""), [(f"`{name}`", plain(what)) for name, what in fields(text)]),
            "## Shipped profiles",
            table(("name", "match"), shipped),
            "## Families",
            "A family is a way to write reasoning and calls as text. Its profile comes before all "
            "others.",
            table(("family", "tool call parsers that read it"), families),
            "## Prompt forms",
            "A prompt form says how a family writes a conversation as token ids. It is used where "
            "it writes exactly what the server's template writes; yours are tried first. A "
            "`[[form]]` has these fields, and the shipped ones are "
            f"{_code(one['name'] for one in tomllib.loads(forms)['form'])}:",
            table(("field", ""), [(f"`{name}`", plain(what)) for name, what in fields(forms)]),
        )
    }


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def fields(text: str) -> list[tuple[str, str]]:
    """Return the fields that the comments at the top of the file describe."""
    found: list[tuple[str, str]] = []
    for line in re.split(r"^\[\[", text, maxsplit=1, flags=re.MULTILINE)[0].splitlines():
        if match := re.fullmatch(r"# ([a-z_]+) {2,}(.+)", line):
            found.append((match[1], match[2]))
        elif match := re.fullmatch(r"# {4,}(.+)", line):
            name, what = found.pop()
            found.append((name, f"{what} {match[1]}"))
    return found
