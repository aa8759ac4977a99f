"""A program that starts as vLLM does: words on stdout, a child that outlives it, then `/health`.

`python fake_vllm.py serve MODEL … --port N`. MODEL `breaks`: it fails while it starts; `dies`: it
ends soon after it was ready; `stubborn`: it takes no notice of SIGTERM. The child's pid is in the
file that FAKE_VLLM_CHILD names.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def main() -> None:
    model = sys.argv[2]
    port = int(sys.argv[sys.argv.index("--port") + 1])
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(os.environ["FAKE_VLLM_CHILD"]).write_text(str(child.pid))
    say("Loading safetensors checkpoint shards:  50% Completed | 1/2\r")
    if model == "breaks":
        say("ValueError: the model is unknown\n")
        sys.exit(1)
    if model == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if model == "dies":
        threading.Thread(target=die, daemon=True).start()
    say("Capturing CUDA graphs: 100%|####|\n")
    HTTPServer(("127.0.0.1", port), Health).serve_forever()


def die() -> None:
    time.sleep(1.0)
    os._exit(3)


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


main()
