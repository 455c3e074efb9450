"""What `record` adds to a call: the same requests to a server on this machine, straight and through the pass-through.

    python -m benchmarks.record_latency [--requests 1000]

The requests alternate; both ways keep their connection. The figures are milliseconds to the whole answer.
"""

import argparse
import http.client
import http.server
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

from llmmigrate.recording import Recorder
from llmmigrate.recording.passing import Upstreams, passing

QUESTION = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "word " * 400}]}).encode()
ANSWER = json.dumps({
    "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 200}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 400, "completion_tokens": 200, "total_tokens": 600},
}).encode()  # fmt: skip


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers every request alike, at once."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(ANSWER)}\r\n\r\n"
        self.wfile.write(head.encode() + ANSWER)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def answering() -> Iterator[int]:
    """A server of answers; its port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def ask(connection: http.client.HTTPConnection) -> float:
    """Milliseconds of one request."""
    begun = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", QUESTION, {"Content-Type": "application/json"})
    connection.getresponse().read()
    return (time.perf_counter() - begun) * 1000


def measure(requests: int) -> tuple[list[float], list[float]]:
    """The times of both ways."""
    straight: list[float] = []
    recorded: list[float] = []
    with tempfile.TemporaryDirectory() as folder, answering() as port:
        recorder = Recorder(Path(folder) / "calls.jsonl")
        url = f"http://127.0.0.1:{port}/v1"
        with passing(("127.0.0.1", 0), Upstreams(url, url), recorder) as server:
            ways = [(http.client.HTTPConnection("127.0.0.1", p), times) for p, times in
                    ((port, straight), (server.server_port, recorded))]  # fmt: skip
            for _ in range(requests):
                for connection, times in ways:
                    times.append(ask(connection))
            for connection, _ in ways:
                connection.close()
        counts = recorder.close()
    if counts.recorded != requests:
        raise SystemExit(f"only {counts.recorded} of {requests} calls were recorded")
    return straight, recorded


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    straight, recorded = measure(parser.parse_args().requests)
    print("| milliseconds | straight | recorded | added |\n|---|---:|---:|---:|")
    for name, place in (("p50", 49), ("p95", 94)):
        a, b = (quantiles(times, n=100)[place] for times in (straight, recorded))
        print(f"| {name} | {a:.2f} | {b:.2f} | {b - a:.2f} |")


if __name__ == "__main__":
    main()
