"""A small web app in the real image: built, served, seen by the human and by the model's tool."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from sandbox.docker.backend import DockerBackend
from sandbox.docker.sii_images import SII_IMAGES
from sandbox.protocol import Sandbox, SandboxSpec, SandboxUnavailable
from sii_cli.web.preview import PreviewServer
from tests.sii_cli.web.test_preview import Browser
from tools.toolbox import Toolbox
from tools.web.settings import WebSettings

PAGE = """<!doctype html><meta charset=utf-8><title>Counter</title>
<h1>Counter</h1><button id=more>More</button><p id=count>0</p>
<script>
  const count = document.getElementById("count")
  document.getElementById("more").onclick = () => { count.textContent = +count.textContent + 1 }
  document.onkeydown = event => { if (event.key === "ArrowLeft") count.textContent = "left" }
  fetch("/missing").then(() => console.error("no such thing"))
</script>
"""
SERVER = """
const http = require("http"), fs = require("fs")
http.createServer((request, response) => {
  if (request.url === "/") response.end(fs.readFileSync("index.html"))
  else { response.statusCode = 404; response.end() }
}).listen(8000, "127.0.0.1")
"""


@pytest.mark.slow
@pytest.mark.docker
async def test_an_app_is_served_opened_and_clicked(tmp_path: Path) -> None:
    spec = SandboxSpec(workspace=tmp_path, image=SII_IMAGES["web"].tag)
    try:
        sandbox = await DockerBackend().start(spec)
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "server.js").write_text(SERVER)
    opened = asyncio.Event()
    sandbox.watch_ports(lambda job, port: opened.set() if (job, port) == (1, 8000) else None)
    preview = await PreviewServer.start(lambda: sandbox.connect(8000))
    try:
        await sandbox.start_job("node server.js")
        await asyncio.wait_for(opened.wait(), 60)

        browser = Browser(preview.new_link())
        await browser.open_link()
        assert b"<h1>Counter</h1>" in await browser.ask("GET", "/")

        async def provide() -> Sandbox:
            return sandbox

        toolbox = Toolbox(["screenshot"], provide, WebSettings())
        asked = {
            "url": "http://localhost:8000/",
            "save_as": "seen.png",
            "actions": [
                {"do": "click", "target": "#more"},
                {"do": "click", "target": 'role=button[name="More"]'},
            ],
        }
        result = await toolbox.call("screenshot", json.dumps(asked), lambda data: None)
        assert result.error is None, result.text
        assert "Title: Counter" in result.text
        assert '- button "More"' in result.text
        assert '- paragraph: "2"' in result.text
        assert "no such thing" in result.text
        assert (tmp_path / "seen.png").read_bytes().startswith(b"\x89PNG")
        asked = {
            "url": "index.html",
            "actions": [
                {"do": "press", "text": "ArrowLeft"},
                {"do": "click", "target": "text=Nowhere"},
            ],
        }
        result = await toolbox.call("screenshot", json.dumps(asked), lambda data: None)
        assert result.error == "action_failed"
        assert "- paragraph: left" in result.text
        assert (tmp_path / "screenshot.png").exists()
    finally:
        await preview.close()
        await sandbox.close()
