"""What a setting's value may be: pydantic types that read text, TOML and flags alike.

Their titles complete the sentence "NAME wants …". Imported only when settings are read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from sandbox.backends import BACKENDS
from sandbox.docker.sii_images import image_of
from sandbox.network.addresses import is_public
from sandbox.network.hosts import as_address, parse_pattern
from sandbox.network.named_networks import MARK, NETWORKS, find_network
from sii_cli.config.paths import expanded
from sii_cli.config.permission_rules import parse_rule
from tools.web.search_providers.registry import SEARCH_PROVIDERS

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("no http(s) URL")
    if parts.username or parts.password:
        raise ValueError("a URL with a user or a password in it; keys go into SII_API_KEY")
    return text.rstrip("/")


def _urls(text: str) -> str:
    """Several, parted by commas or spaces, become one text parted by commas."""
    urls = text.replace(",", " ").split()
    if not urls:
        raise ValueError("no URL")
    return ",".join(dict.fromkeys(map(_url, urls)))


def _size(value: Any) -> Any:
    if isinstance(value, str) and (match := SIZE.fullmatch(value.strip())):
        return int(float(match[1]) * UNITS[match[2].lower()])
    return value


def _list(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _lines(value: Any) -> Any:
    if isinstance(value, str):
        return [line.strip() for line in value.splitlines() if line.strip()]
    return value


def _variables(value: Any) -> Any:
    """A TOML table, lines or a list become a list of NAME=VALUE or NAME."""
    if isinstance(value, dict):
        return [f"{name}={text}" for name, text in value.items()]
    return _lines(value)


def _host(text: str) -> str:
    if text.startswith(MARK):
        find_network(text)
        return text
    pattern = parse_pattern(text)
    if as_address(pattern.name) and not is_public(pattern.name):
        raise ValueError("private, local and metadata addresses are never reached")
    return text


def _private_host(text: str) -> str:
    parse_pattern(text)
    return text


def _rule(text: str) -> str:
    return str(parse_rule(text))


def _path(value: Any) -> Any:
    if "\0" in str(value):
        raise ValueError("a NUL character")
    return expanded(value) if isinstance(value, str) else value


def _number(value: Any) -> Any:
    """A TOML `true` is not a number, though Python counts it as 1."""
    if isinstance(value, bool):
        raise ValueError("no number")
    return value


def _keep_reasoning(value: Any) -> Any:
    """Read the switch that it was before: true is all, false is template."""
    if value is None:
        return "auto"
    switch = str(value).lower()
    if switch in ("true", "1", "yes", "on"):
        return "all"
    return "template" if switch in ("false", "0", "no", "off") else value


Name = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True), Field(title="a name")]
Image = Annotated[Name, AfterValidator(image_of)]
Secret = Annotated[
    str,
    StringConstraints(min_length=1, strip_whitespace=True, pattern=r"^[!-~]+$"),
    Field(title="a key in ASCII, without a space or a line's end"),
]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=r"^[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,253}$"),
    Field(title="an address such as ada@example.org"),
]
Url = Annotated[
    str, AfterValidator(_url), Field(title="a URL such as http://127.0.0.1:8000/v1, without a user")
]
Urls = Annotated[
    str,
    AfterValidator(_urls),
    Field(
        title="a URL such as http://127.0.0.1:8000/v1, without a user, or several by commas",
    ),
]
PathValue = Annotated[Path, BeforeValidator(_path), Field(title="a path")]
Names = Annotated[
    tuple[Name, ...], BeforeValidator(_list), Field(title='names, such as "bash,python"')
]
Lines = Annotated[
    tuple[Name, ...], BeforeValidator(_lines), Field(title="commands, each on its own line")
]
Variables = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(=[^\x00]*)?$")], ...],
    BeforeValidator(_variables),
    Field(title="NAME=VALUE, or NAME to pass a variable on, each on its own line"),
]
Mounts = Annotated[
    tuple[Name, ...],
    BeforeValidator(_list),
    Field(title="SRC or SRC:TARGET, such as ~/data:/data, by commas"),
]
DataNames = Annotated[
    tuple[Name, ...],
    BeforeValidator(_list),
    Field(title='names of data sets, such as "imdb,wiki"'),
]
Hosts = Annotated[
    tuple[Annotated[Name, AfterValidator(_host)], ...],
    BeforeValidator(_list),
    Field(
        title='public hosts, such as "packages.example.org,*.example.org,example.org:8080", or '
        f"networks by name ({', '.join(MARK + name for name in NETWORKS)})"
    ),
]
PrivateHosts = Annotated[
    tuple[Annotated[Name, AfterValidator(_private_host)], ...],
    BeforeValidator(_list),
    Field(title='hosts, such as ["mirror.lab.example"]'),
]
PermissionRules = Annotated[
    tuple[Annotated[Name, AfterValidator(_rule)], ...],
    BeforeValidator(_lines),
    Field(title='TOOL: PATTERN -> allow, ask or refuse, such as "bash: git push* -> ask"'),
]
Count = Annotated[int, BeforeValidator(_number), Field(ge=1, title="a whole number of at least 1")]
CountOrZero = Annotated[
    int, BeforeValidator(_number), Field(ge=0, title="a whole number of at least 0")
]
Integer = Annotated[int, BeforeValidator(_number), Field(title="a whole number")]
Bytes = Annotated[
    int,
    BeforeValidator(_number),
    BeforeValidator(_size),
    Field(ge=1 << 20, title='a size of at least 1m, such as "4g"'),
]
OutputBytes = Annotated[
    int,
    BeforeValidator(_number),
    BeforeValidator(_size),
    Field(ge=1 << 20, le=128 << 20, title="a size from 1m to 128m"),
]
Seconds = Annotated[
    float, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False, title="seconds above 0")
]
Cpus = Annotated[
    float, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False, title="a number above 0")
]
Temperature = Annotated[
    float, BeforeValidator(_number), Field(ge=0, le=2, title="a number from 0 to 2")
]
Fraction = Annotated[
    float, BeforeValidator(_number), Field(gt=0, le=1, title="a number above 0, up to 1")
]
if TYPE_CHECKING:
    Backend = str
    SearchName = str
else:
    Backend = Literal[tuple(BACKENDS)]
    SearchName = Literal[tuple(SEARCH_PROVIDERS)]
KeepReasoning = Annotated[
    Literal["auto", "template", "loop", "all"],
    BeforeValidator(_keep_reasoning),
    Field(title="auto, template, loop, all, true or false"),
]
Switch = Annotated[bool, Field(title="true or false")]
