"""Records what a command or an SDK calls, as it happens: a loopback pass-through, and a transport for the SDKs.

    import httpx2  # or httpx, whichever the SDK uses
    from llmmigrate.recording import Transport

    client = openai.OpenAI(http_client=httpx2.Client(transport=Transport("calls.jsonl")))

`Transport` serves synchronous and asynchronous clients alike. Nothing that it does delays or changes an answer, but
that a forked process writes a record as the answer ends; what it cannot write is counted, never raised.
"""

from llmmigrate.recording.recorder import Recorder
from llmmigrate.recording.transport import Transport

__all__ = ["Recorder", "Transport"]
