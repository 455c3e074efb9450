"""What a failure is called: the words of the servers themselves."""

import errno
import json
import socket
from typing import Any

import pytest

from llmmigrate.endpoints import failures
from llmmigrate.endpoints.exchange import Failure


def openai(message: str, code: str | None = None, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


def vllm(status: int, message: str, kind: str) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": status}


def zai(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (401, openai("Incorrect API key provided", "invalid_api_key"), "auth"),
        (401, anthropic("authentication_error", "invalid x-api-key"), "auth"),
        (401, zai("1002", "Invalid Authentication Token"), "auth"),
        (403, openai("Country, region, or territory not supported", "unsupported_country_region_territory"), "auth"),
        (429, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), "quota"),
        (429, zai("1113", "Your account is in arrears, please recharge and try again"), "quota"),
        (402, {"error": {"message": "Insufficient Balance", "code": "invalid_request"}}, "quota"),
        (400, anthropic("invalid_request_error", "Your credit balance is too low to access the API"), "quota"),
        (429, openai("Rate limit reached for o3", "rate_limit_exceeded", "requests"), "rate_limit"),
        (429, anthropic("rate_limit_error", "This request would exceed your rate limit"), "rate_limit"),
        (429, zai("1302", "High concurrency usage of this API"), "rate_limit"),
        (429, "slow down", "rate_limit"),
        (400, openai("This model's maximum context length is 8192", "context_length_exceeded"), "context_length"),
        (400, vllm(400, "This model's maximum context length is 4096 tokens.", "BadRequestError"), "context_length"),
        (400, anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000"), "context_length"),
        (400, zai("1261", "Prompt exceeds max length"), "context_length"),
        (
            400,
            {"error": {"code": 400, "message": "request exceeds the available context size",
                       "type": "exceed_context_size_error"}},
            "context_length",
        ),
        (400, openai("Unsupported parameter: 'max_tokens'", "unsupported_parameter"), "unsupported_parameter"),
        (400, openai("Unrecognized request argument supplied: top_k"), "unsupported_parameter"),
        (422, {"detail": [{"msg": "Extra inputs are not permitted"}]}, "unsupported_parameter"),
        (400, anthropic("invalid_request_error", "foo: Extra inputs are not permitted"), "unsupported_parameter"),
        (
            400,
            openai("litellm.UnsupportedParamsError: zai does not support parameters: ['seed']", "400"),
            "unsupported_parameter",
        ),
        (400, openai("The response was filtered", "content_filter"), "content_filter"),
        (400, zai("1301", "System detected potentially unsafe or sensitive content"), "content_filter"),
        (404, openai("The model `x` does not exist", "model_not_found"), "not_found"),
        (404, anthropic("not_found_error", "model: claude-x"), "not_found"),
        (404, vllm(404, "The model `x` does not exist.", "NotFoundError"), "not_found"),
        (400, zai("1211", "Model does not exist, please check the model code"), "not_found"),
        (404, "<html>404</html>", "not_found"),
        # LiteLLM without a database: any key that is not its master key.
        (400, openai("No connected db.", "400", "no_db_connection"), "auth"),
        (400, openai("/chat/completions: Invalid model name passed in model=zzz.", "400"), "not_found"),
        # LiteLLM rests a deployment that has failed; the key and the request are in order.
        (429, openai("No deployments available for selected model, Try again in 5 seconds.", "429"), "rate_limit"),
        # transformers serve
        (400, {"detail": "Server is pinned to 'tiny-glm5'; requested 'nope'."}, "not_found"),
        (422, {"detail": "Unexpected fields in the request: {'frobnicate'}"}, "unsupported_parameter"),
        (400, openai("Invalid value for 'temperature'"), "bad_request"),
        (413, anthropic("request_too_large", "Request exceeds the maximum size"), "bad_request"),
        (308, "moved", "not_found"),
        (500, openai("The server had an error", None, "server_error"), "server"),
        (529, anthropic("overloaded_error", "Overloaded"), "server"),
        (502, "<html>bad gateway: content_filter</html>", "server"),
        (500, zai("500", "Internal Error"), "server"),
        (408, None, "server"),
        (200, anthropic("overloaded_error", "Overloaded"), "server"),
        (200, {"error": {"code": 429, "message": "upstream busy"}}, "rate_limit"),
        (200, {"error": "cannot allocate memory"}, "server"),
    ],
)  # fmt: skip
def test_named_from_the_answer(status: int, body: Any, failure: Failure) -> None:
    assert failures.of_answer(status, body) == failure


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "ours"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "ours"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "connection"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "ours"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "connection"),
        (ExceptionGroup("all addresses failed", [OSError(errno.ENETUNREACH, "no route")]), "ours"),
    ],
)
def test_named_from_the_connection(error: Exception, failure: Failure) -> None:
    wrapped = RuntimeError("could not connect")
    wrapped.__cause__ = error
    assert failures.of_error(error) == failures.of_error(wrapped) == failure


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "it failed"}},
        {"error": "it failed"},
        {"message": "it failed"},
        {"detail": "it failed"},
        "it failed",
    ],
)
def test_the_words_of_an_error_are_found(body: Any) -> None:
    assert failures.message(body) == "it failed"


def test_the_words_of_the_server_behind_a_relay_are_told() -> None:
    body = {"error": {"message": "Provider returned error", "metadata": {"raw": "max_tokens too large"}}}
    assert failures.message(body) == "Provider returned error: max_tokens too large"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdEFGH1234567890",
        "Bearer abcdefgh12345678",
        "sk-ant-api03-AAAA_bbbb-cccc",
        "sk-abc1************wxyz",
        "0123456789abcdef0123456789abcdef",
        "my own secret",
    ],
)
def test_what_looks_like_a_key_is_not_shown(secret: str) -> None:
    shown = failures.shown(json.dumps({"said": f"wrong key {secret}, see the docs"}), "my own secret")
    assert shown is not None
    assert secret not in shown
    assert "see the docs" in shown


def test_what_is_shown_is_one_short_line() -> None:
    shown = failures.shown("first\r\n\tsecond " + "long " * 1000, None)
    assert shown is not None
    assert shown.startswith("first second long")
    assert "\n" not in shown
    assert len(shown) < 350
    assert failures.shown("", None) is None


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'.",
            "max_tokens",
        ),
        ("Unrecognized request argument supplied: top_k", "top_k"),
        ("top_k: Extra inputs are not permitted", "top_k"),
        ("[{'type': 'extra_forbidden', 'loc': ['body', 'top_k'], 'msg': 'Extra inputs are not permitted'}]", "top_k"),
        ("the model does not take that", None),
        ("Unsupported parameter: 'logprobs'", None),
    ],
)
def test_the_parameter_that_words_are_about(said: str, named: str | None) -> None:
    assert failures.parameter(said, ["model", "messages", "max_tokens", "top_k", "input"]) == named
