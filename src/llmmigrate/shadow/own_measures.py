"""The user's own agreement measures: a Python function, or a program that reads JSON and writes a score.

Both are told the request and two answers to it, and say how alike these are, 0 to 1:

    {"request": {…}, "one": {"text": "…", "tool_calls": [{"name": "…", "arguments": "…"}], "finish_reason": "stop"},
     "other": {…}}

A function returns the score, or None where it does not apply. A program writes it to stdout, or `null`. Whatever else
happens is "not measured", with the reason. The words of an exception or a program may hold what it was told, and
reasons stand in the result: the words are kept with `--store full` only.
"""

import contextlib
import importlib
import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from llmmigrate import registry
from llmmigrate.errors import UsageError, unknown_name
from llmmigrate.shadow.measures import Asked, NotMeasuredError
from llmmigrate.shadow.pairs import Answer
from llmmigrate.shadow.scoring import ROOM, Measure
from llmmigrate.shadow.storing import Store

SECONDS: Final = 30.0
"""How long a program may take for one comparison."""
_SHOWN: Final = 120
"""Characters of a program's own words that go into a reason."""
_FUNCTION: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)


def own_measure(spec: str, *, seconds: float = SECONDS, store: Store = "redacted") -> Measure:
    """The measure that `module:function` or the path of a program names.

    `store`: with "full" a reason for "not measured" has the words of the function or program; else only its kind.

    UsageError for a function or program that is not there, UnknownNameError for what could be neither.
    """
    reasons = _Reasons(words=store == "full")
    if _FUNCTION.fullmatch(spec):
        function = _function(spec)
        return _measure(spec, "Your function.", reasons, lambda told: _called(function, told, reasons))
    program = shutil.which(spec)
    if program is not None:
        path = os.path.abspath(program)
        return _measure(
            os.path.basename(path), "Your program.", reasons, lambda told: _run(path, told, seconds, reasons)
        )
    if os.sep in spec:
        raise UsageError(
            f"the measure {spec} is no program that can be run", fix=f"check the path, and chmod +x {spec}"
        )
    raise unknown_name("measure", spec, registry.names(ROOM))


class _Reasons(NamedTuple):
    """Why something was not measured."""

    words: bool
    """Whether words that are not our own may be in it."""

    def error(self, kind: str, words: str) -> NotMeasuredError:
        """Our own words, and what the function or program said."""
        return NotMeasuredError(_short(f"{kind}: {words}") if self.words else kind)


def _measure(name: str, about: str, reasons: _Reasons, ask: Callable[[dict[str, Any]], Any]) -> Measure:
    def agree(asked: Asked, one: Answer, other: Answer) -> float | None:
        return _score(ask({"request": asked.request, "one": _told(one), "other": _told(other)}), reasons)

    return Measure(name=name, kind="agreement", about=about, function=agree, slow=True)


def _told(answer: Answer) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(answer)
    return told


def _score(value: Any, reasons: _Reasons) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise reasons.error("the score is no number", repr(value))
    if not 0 <= value <= 1:  # NaN is not, either
        raise reasons.error("the score is not between 0 and 1", str(value))
    return float(value)


def _function(spec: str) -> Callable[[Mapping[str, Any]], Any]:
    """The function of `module:function`; modules in the working directory are found, too."""
    module, _, name = spec.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        function = getattr(importlib.import_module(module), name)
    except Exception as error:  # importing runs the user's code
        why = f"{type(error).__name__}: {error}"
        raise UsageError(f"the measure {spec} cannot be loaded", why=why, fix="write module:function") from error
    if not callable(function) or inspect.isclass(function):
        raise UsageError(f"the measure {spec} is no function", fix="write module:function")
    found: Callable[[Mapping[str, Any]], Any] = function
    return found


def _called(function: Callable[[Mapping[str, Any]], Any], told: dict[str, Any], reasons: _Reasons) -> Any:
    try:
        return function(told)
    except Exception as error:  # whatever the user's code raises
        raise reasons.error(type(error).__name__, str(error)) from error


def _run(program: str, told: dict[str, Any], seconds: float, reasons: _Reasons) -> Any:
    """What the program writes, as JSON. It and its children are ended when the time is over."""
    try:
        process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        raise NotMeasuredError(f"the program does not start: {error.strerror}") from error
    with process:
        try:
            out, err = process.communicate(json.dumps(told).encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise NotMeasuredError(f"the program took longer than {seconds:g} s") from None
    if process.returncode:
        raise reasons.error(f"the program ended with {process.returncode}", _words(err))
    try:
        return json.loads(out)
    except ValueError:
        raise reasons.error("the program wrote no JSON", _words(out)) from None


def _words(output: bytes) -> str:
    return " ".join(output.decode("utf-8", "replace").split())


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
