"""A form is used only where it writes what the server's template writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sii_cli.model.ids import prompt_form
from sii_cli.model.ids.prove import Render, prove_wire
from sii_cli.model.ids.transcript import Retain
from sii_cli.model.ids.wire import IdsWire
from tests.sii_cli.model.ids.offline import FAMILIES, Family, Server, folder


async def prove(
    family: Family,
    kwargs: dict[str, Any] | None = None,
    *,
    retain: Retain | None = None,
    tokenizer: Path | None = None,
    render: Render | None = None,
) -> IdsWire | str:
    server = Server(family)
    path = tokenizer or folder(family)
    return await prove_wire(render or server.render, "m", path, kwargs or {}, retain)


@pytest.mark.parametrize("thinking", [None, True, False])
@pytest.mark.parametrize("family", FAMILIES)
async def test_the_form_of_the_served_template_is_found(
    family: Family, thinking: bool | None
) -> None:
    wire = await prove(family, {} if thinking is None else {"enable_thinking": thinking})
    assert isinstance(wire, IdsWire), wire
    assert (wire.form.name, wire.thinking) == (family, thinking is not False)
    assert wire.retain == "template"


@pytest.mark.parametrize("keeps", [False, True])
async def test_the_form_of_glm_5_is_told_from_that_of_4_7(tmp_path: Path, keeps: bool) -> None:
    """As far as is known it differs in this: each result has a role of its own."""
    template = (folder("GLM-4.7") / "chat_template.jinja").read_text()
    role = "{{- '<|observation|>' -}}"
    once = "{%- if loop.first or loop.previtem.role != 'tool' -%}" + role + "{%- endif -%}"
    assert once in template
    template = template.replace(once, role)
    (tmp_path / "chat_template.jinja").write_text(template)
    shutil.copy(folder("GLM-4.7") / "tokenizer.json", tmp_path)
    found = await prove(
        "GLM-4.7", {"clear_thinking": not keeps}, render=Server("GLM-4.7", tmp_path).render
    )
    assert isinstance(found, IdsWire), found
    assert (found.form.name, found.retain) == ("GLM-5", "all" if keeps else "template")


async def test_what_the_template_keeps_of_earlier_reasoning_is_found() -> None:
    kept = await prove("GLM-4.7", {"clear_thinking": False})
    assert isinstance(kept, IdsWire)
    assert kept.retain == "all"
    asked = await prove("GLM-4.7", retain="loop")
    assert isinstance(asked, IdsWire)
    assert asked.retain == "loop", "what the settings say goes before"


async def test_another_tokenizer_is_refused() -> None:
    other = folder("GLM-4.7", words=500)
    assert "is not the tokenizer of the served model" in str(
        await prove("GLM-4.7", tokenizer=other)
    )


async def test_a_tokenizer_that_lacks_rare_words_is_refused(tmp_path: Path) -> None:
    """No conversation of the proof has such a word: its own entries are compared, too."""
    parsed = json.loads((folder("GLM-4.7") / "tokenizer.json").read_text())
    parsed["model"]["merges"].pop()
    (tmp_path / "tokenizer.json").write_text(json.dumps(parsed))
    found = await prove("GLM-4.7", tokenizer=tmp_path)
    assert "is not the tokenizer of the served model" in str(found)


async def test_two_ids_that_are_swapped_are_found(tmp_path: Path) -> None:
    parsed = json.loads((folder("GLM-4.7") / "tokenizer.json").read_text())
    vocab = parsed["model"]["vocab"]
    vocab["d"], vocab["e"] = vocab["e"], vocab["d"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(parsed))
    found = await prove("GLM-4.7", tokenizer=tmp_path)
    assert "is not the tokenizer of the served model" in str(found)


async def test_control_tokens_with_other_ids_are_found(tmp_path: Path) -> None:
    text = (folder("GLM-4.7") / "tokenizer.json").read_text()
    swapped = text.replace("<think>", "\0").replace("<tool_call>", "<think>")
    (tmp_path / "tokenizer.json").write_text(swapped.replace("\0", "<tool_call>"))
    found = await prove("GLM-4.7", tokenizer=tmp_path)
    assert "is not the tokenizer of the served model" in str(found)


async def test_a_template_of_no_known_form_is_refused_with_what_differs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = tuple(one for one in prompt_form.prompt_forms() if one.name != "GLM-4.7")
    monkeypatch.setattr("sii_cli.model.ids.prove.prompt_forms", lambda: others)
    assert "no known form writes what the server's template writes" in str(await prove("GLM-4.7"))


async def test_a_server_that_renders_nothing_is_refused() -> None:
    async def silent(body: dict[str, Any]) -> list[int] | None:
        return None

    assert "/tokenize" in str(await prove("GLM-4.7", render=silent))


async def test_a_server_without_messages_is_refused() -> None:
    server = Server("GLM-4.7")

    async def text_alone(body: dict[str, Any]) -> list[int] | None:
        return await server.render(body) if "prompt" in body else None

    assert "/tokenize" in str(await prove("GLM-4.7", render=text_alone))


def test_a_user_adds_a_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SII_HOME", str(tmp_path))
    shipped = (Path(prompt_form.__file__).parent / "forms.toml").read_text()
    [first] = shipped.split("[[form]]")[1:2]
    (tmp_path / "models.toml").write_text("[[form]]" + first.replace("GLM-4.5", "Ours"))
    prompt_form.prompt_forms.cache_clear()
    try:
        assert prompt_form.prompt_forms()[0].name == "Ours"
        (tmp_path / "models.toml").write_text('[[form]]\nname = "Ours"\nusr = "x"\n')
        prompt_form.prompt_forms.cache_clear()
        with pytest.raises(Exception, match=r"models\.toml holds no forms \('usr'"):
            prompt_form.prompt_forms()
    finally:
        prompt_form.prompt_forms.cache_clear()
