"""Vectors of texts from a real server on loopback: in order, within the limits, and never made up."""

import asyncio
from typing import Any

import pytest
from tests.endpoints.fault_server import FaultServer

from llmmigrate.endpoints import embeddings
from llmmigrate.endpoints.client import Client, Retries
from llmmigrate.endpoints.embeddings import vectors_in
from llmmigrate.endpoints.exchange import Endpoint, Exchange

TEXTS = ["one", "two two", "three three three"]


def ask(server: FaultServer) -> Exchange:
    endpoint = Endpoint(
        provider="openai", model="small", base_url=server.base_url, dialect="openai-chat", key="sk-test-secret"
    )

    async def whole() -> Exchange:
        async with Client(endpoint, retries=Retries(base=0.0), dialect=embeddings) as client:
            return await client.send({"input": TEXTS}, stream=False)

    return asyncio.run(whole())


def test_each_text_gets_its_vector() -> None:
    with FaultServer() as server:
        found = ask(server)
    assert found.failure is None
    assert found.body is not None
    assert [sum(vector) for vector in vectors_in(found.body, 3)] == [1, 2, 3]
    (request,) = server.requests
    assert request.path == "/v1/embeddings"
    assert request.body == {"input": TEXTS, "model": "small"}
    assert request.headers["authorization"] == "Bearer sk-test-secret"


def test_what_may_work_later_is_tried_again_and_the_rest_is_not() -> None:
    with FaultServer("status:500", "rate_limit:retry-after-ms=10") as server:
        assert ask(server).failure is None
        assert len(server.requests) == 3
    with FaultServer(then="status:400") as server:
        assert ask(server).failure == "bad_request"
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("then", "failure"),
    [("status:401", "auth"), ("status:404", "not_found"), ("html", "malformed"), ("foreign", "malformed")],
)
def test_what_is_no_answer_is_a_failure(then: str, failure: str) -> None:
    with FaultServer(then=then) as server:
        found = ask(server)
    assert found.failure == failure


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        [{"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}],
        [{"index": "0", "embedding": [1.0]}, {"index": "1", "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": "AACAPw=="}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": ["1.0"]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": []}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [10**400]}],
    ],
)
def test_a_vector_is_never_guessed(data: Any) -> None:
    with pytest.raises(ValueError, match="vector"):
        vectors_in({"object": "list", "data": data}, 2)


def test_vectors_without_a_place_are_in_the_order_of_the_texts() -> None:
    found = vectors_in({"data": [{"embedding": [1]}, {"embedding": [2, 3]}]}, 2)
    assert [list(vector) for vector in found] == [[1.0], [2.0, 3.0]]
