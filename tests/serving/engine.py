"""A small server that starts, answers, crashes or hangs as it is told: what a supervisor has to live with.

python engine.py PORT [silent] [broken] [crash=FILE] [hang=FILE] [stubborn] [child=FILE] [exit=CODE] [key=NAME]
                          [stuck=FILE]

It crashes or hangs as soon as the file is there, and takes it away first.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

OPTIONS = dict(word.partition("=")[::2] for word in sys.argv[2:])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._write(200, {})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "stuck" in OPTIONS:
            Path(OPTIONS["stuck"]).touch()
            time.sleep(60)
        if "key" in OPTIONS and self.headers["Authorization"] != f"Bearer {os.environ[OPTIONS['key']]}":
            self._write(401, {})
        elif "broken" in OPTIONS:
            self._write(500, {"error": "no such model"})
        elif request.get("stream"):
            self._stream(request)
        else:
            usage = {"prompt_tokens": 3, "completion_tokens": 1}
            self._write(200, {"choices": [{"message": {"content": "a"}}], "usage": usage})

    def _stream(self, request: dict[str, Any]) -> None:
        prompt = len(request["messages"][0]["content"].split())
        self.send_response(200)
        self.end_headers()
        for _ in range(request["max_tokens"]):
            self._event({"choices": [{"delta": {"content": "a"}}]})
        self._event({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": request["max_tokens"]}})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, body: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(body)}\n\n".encode())

    def _write(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def when_told(name: str, act: Callable[[], Any]) -> None:
    if name in OPTIONS:
        threading.Thread(target=_await, args=(Path(OPTIONS[name]), act), daemon=True).start()


def _await(order: Path, act: Callable[[], Any]) -> None:
    while not order.exists():
        time.sleep(0.02)
    order.unlink()
    act()


def main() -> None:
    for number in range(30):
        print(f"line {number}", flush=True)
    print("Loading weights:   0%|   |\rLoading weights: 100%|###|", flush=True)
    if "stubborn" in OPTIONS:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "child" in OPTIONS:
        child = subprocess.Popen(
            [sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"]
        )
        with open(OPTIONS["child"], "w") as stream:
            stream.write(str(child.pid))
    if "exit" in OPTIONS:
        sys.exit(int(OPTIONS["exit"]))
    if "silent" in OPTIONS:
        signal.pause()
    when_told("crash", lambda: os._exit(7))
    when_told("hang", lambda: os.kill(os.getpid(), signal.SIGSTOP))
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()


if __name__ == "__main__":
    main()
