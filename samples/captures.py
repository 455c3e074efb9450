"""Made-up conversations: what each route of `captures.jsonl` asks, and what was answered, with whole bodies.

Every request differs in its words; a retry asks the same again. Counts are those of the text at four characters a
token, and the drawn reasoning. Standard library only.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from samples.traffic import Dice, Route, Sample

MODEL = "o3"
URL = "https://api.openai.com/v1/chat/completions"
ROUTES = (
    Route("/answer", "support", "openai", MODEL, 0.40, 200, 420, reasoning_share=0.6, tokens_per_second=110),
    Route("/order", "support", "openai", MODEL, 0.16, 400, 260, reasoning_share=0.6, turns=2, tokens_per_second=110),
    Route("/extract", "sales", "openai", MODEL, 0.16, 300, 300, reasoning_share=0.6, tokens_per_second=110),
    Route("/triage", "platform", "openai", MODEL, 0.14, 150, 160, reasoning_share=0.6, tokens_per_second=110),
    Route("/invoice", "sales", "openai", MODEL, 0.05, 300, 300, reasoning_share=0.6, tokens_per_second=110),
)
ERRORS = {429: "rate_limit_exceeded", 503: "service_unavailable", 504: "timeout"}
FIRST_NAMES = ("Ada", "Bela", "Chidi", "Dora", "Emre", "Fumi", "Greta", "Hana", "Ivo", "Jun", "Kofi", "Lena")
ITEMS = ("desk lamp", "rain jacket", "kettle", "bicycle bell", "wool blanket", "notebook", "garden hose", "backpack")
TOWNS = ("Aarhus", "Bergamo", "Cork", "Dresden", "Espoo", "Ghent", "Lyon", "Porto")
TROUBLES = (
    ("arrived with a crack in it", "Please send us a photo of the damage; a replacement leaves on the same day."),
    ("has not arrived after nine days", "The carrier has held it at the depot since Monday and delivers it tomorrow."),
    ("was charged twice", "The second charge is a reservation that your bank releases within three working days."),
    ("is the wrong colour", "You can exchange it free of charge within thirty days; the label is on its way."),
    ("came without the manual", "The manual is on the page of the product, under Downloads, in eleven languages."),
    ("stopped working after a week", "It is under warranty for two years; we replace it as soon as it is with us."),
)
CLOSINGS = (
    "What can be done about it?",
    "Who pays for the return?",
    "How long will that take?",
    "Can I have my money back instead?",
)
QUEUES = ("delivery", "billing", "returns", "technical")
HOUSE = "You answer customers of a small shop. Be brief, friendly and exact. Promise nothing that is not written here."
ORDER_TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "find_order": ("Look an order up by its number.", {"number": {"type": "string"}}),
    "send_label": (
        "Send a return label to the customer.",
        {"number": {"type": "string"}, "reason": {"type": "string", "enum": ["damaged", "wrong", "unwanted"]}},
    ),
}
"""Name → description and arguments."""
ORDER_SCHEMA = {
    "type": "object",
    "properties": {
        "customer": {"type": "string"},
        "town": {"type": "string"},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
                "required": ["name", "count"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["customer", "town", "items"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was asked, beside the model, and the message that answered it."""

    asked: dict[str, Any]
    answer: dict[str, Any]


def records(dice: Dice, samples: list[Sample]) -> Iterator[dict[str, Any]]:
    """One captured exchange a sample."""
    exchanges: dict[str, Exchange] = {}
    sessions: dict[str, Exchange] = {}
    for sample in samples:
        if sample.identity not in exchanges:
            before = sessions.get(sample.session or "")
            exchange = exchanges[sample.identity] = draw_exchange(dice, sample.route, before)
            if sample.session:
                sessions[sample.session] = exchange
        yield record(sample, exchanges[sample.identity])


def record(sample: Sample, exchange: Exchange) -> dict[str, Any]:
    """The envelope that a proxy writes: when, where, how long, and both bodies."""
    return {
        "timestamp": sample.start.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request_id": sample.identity,
        "url": URL,
        "status": sample.status,
        "latency_ms": sample.latency_ms,
        "attempt": sample.attempt if sample.attempt > 1 else None,
        "session_id": sample.session,
        "route": sample.route.path,
        "team": sample.route.team,
        "request": {"model": MODEL, **exchange.asked},
        "response": refusal(sample) if sample.failed else completion(sample, exchange),
    }


def completion(sample: Sample, exchange: Exchange) -> dict[str, Any]:
    """A chat.completion object."""
    prompt, visible = size(exchange.asked), size(exchange.answer)
    reason = "tool_calls" if "tool_calls" in exchange.answer else "stop"
    return {
        "id": sample.identity,
        "object": "chat.completion",
        "created": int(sample.start.timestamp()),
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", **exchange.answer}, "finish_reason": reason}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": visible + sample.reasoning_tokens,
            "completion_tokens_details": {"reasoning_tokens": sample.reasoning_tokens},
        },
    }


def refusal(sample: Sample) -> dict[str, Any]:
    """An error body."""
    code = ERRORS[sample.status]
    return {"error": {"message": f"The request failed: {code}.", "type": code, "code": code}}


def size(part: dict[str, Any]) -> int:
    """About how many tokens a part of a body has."""
    return max(1, len(compact(part)) // 4)


def compact(value: Any) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"))


def draw_exchange(dice: Dice, route: Route, before: Exchange | None) -> Exchange:
    """A question on a route and its answer; `before` is the turn of the same session that it goes on from."""
    match route.path:
        case "/order":
            return order_turn(dice) if before is None else order_follow_up(dice, before)
        case "/extract":
            return extraction(dice, strict=False)
        case "/invoice":
            return extraction(dice, strict=True)
        case "/triage":
            return triage(dice)
    return answered(dice)


def one_of(dice: Dice, choices: tuple[Any, ...]) -> Any:
    """One of them, each as likely."""
    return choices[dice.pick((1,) * len(choices))]


def order_number(dice: Dice) -> str:
    """Such as the shop gives."""
    return dice.name("A-", 6, "0123456789")


def complaint(dice: Dice) -> tuple[str, str, str]:
    """What a customer writes, the reply, and the number of the order."""
    trouble, reply = one_of(dice, TROUBLES)
    number, item, name = order_number(dice), one_of(dice, ITEMS), one_of(dice, FIRST_NAMES)
    wish, town = one_of(dice, CLOSINGS), one_of(dice, TOWNS)
    question = f"Hello, the {item} of my order {number} {trouble}. {wish} {name}, {town}"
    return question, f"Dear {name}, I am sorry about your {item}. {reply}", number


def turns(instructions: str, question: str) -> list[dict[str, Any]]:
    """Instructions as o3 takes them, and a question."""
    return [{"role": "developer", "content": instructions}, {"role": "user", "content": question}]


def answered(dice: Dice) -> Exchange:
    """A question and an answer in plain words."""
    question, reply, _ = complaint(dice)
    asked = {"messages": turns(HOUSE, question), "max_completion_tokens": 2000}
    return Exchange(asked, {"content": reply})


def order_turn(dice: Dice) -> Exchange:
    """A question for which an order is looked up."""
    question, _, number = complaint(dice)
    asked = {"messages": turns(HOUSE, question), "max_completion_tokens": 2000, "tools": tools()}
    return Exchange(asked, {"content": None, "tool_calls": [tool_call(dice, "find_order", {"number": number})]})


def order_follow_up(dice: Dice, before: Exchange) -> Exchange:
    """The turn after the tool's result: a label is sent, or the customer gets an answer."""
    call = before.answer["tool_calls"][0]
    number = json.loads(call["function"]["arguments"])["number"]
    found = {"number": number, "status": one_of(dice, ("sent", "delivered", "packed")), "town": one_of(dice, TOWNS)}
    result = {"role": "tool", "tool_call_id": call["id"], "content": compact(found)}
    asked = {**before.asked, "messages": [*before.asked["messages"], {"role": "assistant", **before.answer}, result]}
    if found["status"] == "delivered":
        label = {"number": number, "reason": one_of(dice, ("damaged", "wrong", "unwanted"))}
        return Exchange(asked, {"content": None, "tool_calls": [tool_call(dice, "send_label", label)]})
    return Exchange(asked, {"content": f"Your order {number} is {found['status']}; its next stop is {found['town']}."})


def tools() -> list[dict[str, Any]]:
    """The tools of the route `/order`."""
    return [
        {"type": "function", "function": {"name": name, "description": about, "parameters": parameters(arguments)}}
        for name, (about, arguments) in ORDER_TOOLS.items()
    ]


def parameters(arguments: dict[str, Any]) -> dict[str, Any]:
    """The schema of a tool's arguments, all of them needed."""
    return {"type": "object", "properties": arguments, "required": [*arguments], "additionalProperties": False}


def tool_call(dice: Dice, name: str, arguments: dict[str, str]) -> dict[str, Any]:
    """A call as the API returns it."""
    function = {"name": name, "arguments": compact(arguments)}
    return {"id": dice.name("call_", 12), "type": "function", "function": function}


def extraction(dice: Dice, *, strict: bool) -> Exchange:
    """An order letter and the order in it, as JSON of a schema; `strict` demands the schema, else it is a wish."""
    customer, town = one_of(dice, FIRST_NAMES), one_of(dice, TOWNS)
    start, count = dice.pick((1,) * len(ITEMS)), 1 + dice.pick((3, 2, 1))
    items = [{"name": ITEMS[(start + place) % len(ITEMS)], "count": 1 + dice.pick((4, 2, 1))} for place in range(count)]
    wanted = ", ".join(f"{item['count']} x {item['name']}" for item in items)
    letter = f"Order {order_number(dice)}. We are a shop in {town} and would like to have {wanted}. Regards, {customer}"
    schema = {"name": "order", "strict": strict, "schema": ORDER_SCHEMA}
    asked = {
        "messages": turns("Extract the order from the letter.", letter),
        "max_completion_tokens": 2000,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }
    return Exchange(asked, {"content": compact({"customer": customer, "town": town, "items": items})})


def triage(dice: Dice) -> Exchange:
    """A message and the queue that it belongs into, as any JSON object."""
    question, _, _ = complaint(dice)
    instructions = f'Reply with JSON such as {{"queue": "billing", "urgent": false}}. Queues: {", ".join(QUEUES)}.'
    asked = {
        "messages": turns(instructions, question),
        "max_completion_tokens": 1000,
        "reasoning_effort": "low",
        "response_format": {"type": "json_object"},
    }
    return Exchange(asked, {"content": compact({"queue": one_of(dice, QUEUES), "urgent": dice.random() < 0.2})})
