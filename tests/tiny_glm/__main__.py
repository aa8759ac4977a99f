"""The tiny GLM from the command line: `python -m tests.tiny_glm install|build|serve|check`."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Event

from tests.tiny_glm.build import ensure_model, trained_conversations
from tests.tiny_glm.environment import ensure_environment
from tests.tiny_glm.replay import replay
from tests.tiny_glm.server import TinyGlmServer, serve

COMMANDS = {
    "install": "make the Python environment with vLLM",
    "build": "train the model",
    "serve": "serve it until Ctrl-C",
    "check": "serve it and ask for every turn that it was trained on",
}


def main() -> int:
    """Carry out one command, with what it needs before."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.tiny_glm",
        epilog="; ".join(f"{name}: {text}" for name, text in COMMANDS.items()),
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--form", choices=("glm45", "glm47"), default="glm47")
    parser.add_argument(
        "--no-strict", action="store_true", help="let the server not force the form of calls"
    )
    options = parser.parse_args()
    ensure_environment()
    if options.command == "install":
        return 0
    model = ensure_model(options.form)
    if options.command == "build":
        return 0
    with tempfile.NamedTemporaryFile(prefix="sii-vllm-", suffix=".log", delete=False) as file:
        log = Path(file.name)
    print(f"Starting vLLM, up to a minute and a half (its log: {log})", flush=True)
    with serve(model, options.form, log, strict_tool_calls=not options.no_strict) as server:
        print(f"Serving the tiny GLM at {server.base_url}", flush=True)
        if options.command == "check":
            return _check(server)
        with suppress(KeyboardInterrupt):
            Event().wait()
    return 0


def _check(server: TinyGlmServer) -> int:
    wrong = 0
    for name, trained, said in replay(server, trained_conversations(server.folder)):
        print(f"{'exact' if said == trained else 'OTHER'}  {name}", flush=True)
        if said != trained:
            print(f"  trained: {trained}\n  said:    {said}", flush=True)
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
