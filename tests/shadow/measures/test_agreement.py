"""How alike two answers are."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shadow.asking import TOOLS, asked, says

from llmmigrate import registry
from llmmigrate.shadow.measures import (
    Asked,
    NotMeasuredError,
    agreement,
    embedding_similarity,
    exact_match,
    json_equality,
    lexical_similarity,
    refusal,
    tool_equality,
)
from llmmigrate.shadow.pairs import Answer

JSON = asked(response_format={"type": "json_object"})
PLAIN = asked()
WITH_TOOLS = asked(tools=TOOLS)
AGREEMENTS = [exact_match, json_equality, lexical_similarity, refusal, tool_equality, agreement]

answers = st.builds(
    lambda text, calls, refused: says(text, *calls, refused=refused),
    st.one_of(st.text(max_size=30), st.sampled_from(['{"a": 1}', "[1.0]", "null", "I can't help with that."])),
    st.lists(st.tuples(st.sampled_from(["clock", "x"]), st.sampled_from(["{}", '{"a": 1}', "["])), max_size=3),
    st.booleans(),
)


@given(st.sampled_from(AGREEMENTS), st.sampled_from([JSON, PLAIN, WITH_TOOLS]), answers, answers)
def test_every_agreement_is_symmetrical_bounded_and_one_for_the_same(
    measure: object, request: Asked, one: Answer, other: Answer
) -> None:
    agree: Callable[[Asked, Answer, Answer], float | None] = measure.agree  # type: ignore[attr-defined]
    score = agree(request, one, other)
    assert score is None or 0 <= score <= 1
    assert score == agree(request, other, one)
    assert agree(request, one, one) in (1, None)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("Bonn is  it.\n", "Bonn is it.", 1), ("Bonn", "bonn", 0), ("", "Bonn", 0), (" ", "", None)],
)
def test_exact_match(one: str, other: str, expected: float | None) -> None:
    assert exact_match.agree(PLAIN, says(one), says(other)) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ('{"a": 1, "b": [true]}', '{"b":[true],\n"a":1.0}', 1),
        ('{"a": 1}', '{"a": true}', 0),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', 0),
        ('{"a": 1}', '{"a": "1"}', 0),
        ('{"a": null}', "{}", 0),
        ("1e3", "1000", 1),
        ('"caf\\u00e9"', '"café"', 1),
        ('{"a": 1}', 'Sure: {"a": 1}', 0),
        ("No JSON", "No  JSON", 1),
        ("", "", None),
    ],
)
def test_json_equality(one: str, other: str, expected: float | None) -> None:
    assert json_equality.agree(JSON, says(one), says(other)) == expected
    assert json_equality.agree(PLAIN, says(one), says(other)) is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([("weather", '{"city": "Bonn"}')], [("weather", '{ "city":"Bonn" }')], 1),
        ([("weather", "{}"), ("clock", "{}")], [("clock", "{}"), ("weather", "{}")], 1),
        ([("weather", "{}"), ("weather", "{}")], [("weather", "{}")], 0),
        ([("weather", '{"city": "Bonn"}')], [("weather", '{"city": "Köln"}')], 0),
        ([("weather", "{}")], [("clock", "{}")], 0),
        ([("weather", "{}")], [], 0),
        ([("weather", "{broken")], [("weather", "{broken")], 1),
        ([], [], 1),
    ],
)
def test_tool_equality(one: list[tuple[str, str]], other: list[tuple[str, str]], expected: float) -> None:
    assert tool_equality.agree(WITH_TOOLS, says("", *one), says("", *other)) == expected


def test_no_tools_no_tool_equality() -> None:
    assert tool_equality.agree(PLAIN, says("a"), says("a")) is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("The cat sat.", "the CAT sat", 1),
        ("the cat sat on the mat", "the cat lay on the mat", 10 / 12),  # LCS 5 of 6 and 6 words
        ("one two three", "three two one", 2 / 6),
        ("one two", "three four", 0),
        ("", "word", 0),
        ("…", "!", None),
        ("北京是首都", "北京是中国首都", 10 / 12),  # five signs of five and seven
    ],
)
def test_lexical_similarity_is_rouge_l(one: str, other: str, expected: float | None) -> None:
    assert lexical_similarity.agree(PLAIN, says(one), says(other)) == pytest.approx(expected)


def lcs(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """The textbook table."""
    row = [0] * (len(other) + 1)
    for word in one:
        before = list(row)
        for index, match in enumerate(other):
            row[index + 1] = before[index] + 1 if word == match else max(row[index], before[index + 1])
    return row[-1]


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=40), st.lists(st.sampled_from("abcde"), max_size=40))
def test_lexical_similarity_against_the_textbook(one: list[str], other: list[str]) -> None:
    expected = 2 * lcs(tuple(one), tuple(other)) / (len(one) + len(other))
    assert lexical_similarity.agree(PLAIN, says(" ".join(one)), says(" ".join(other))) == pytest.approx(expected)


def test_only_the_first_words_of_a_long_answer_count() -> None:
    text = " ".join(f"w{number}" for number in range(2000))
    assert lexical_similarity.agree(PLAIN, says(text + " more"), says(text + " others entirely")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't assist with that.",
        "I’m sorry, I cannot help with that request.",
        "I am unable to provide medical advice.",
        "Unfortunately, I won't be able to help.",
        "As an AI language model, I cannot create such content.",
        "Sorry, I must decline to answer.",
        "I can't legally help you with this.",
    ],
)
def test_refusals_in_english(text: str) -> None:
    assert refusal.refuses(says(text))


@pytest.mark.parametrize(
    "text", ["Sure, here it is.", "I can't help but admire it.", "He said: I cannot help you.", "Cannot open file.", ""]
)
def test_no_refusals(text: str) -> None:
    assert not refusal.refuses(says(text))


def test_agreement_on_refusing() -> None:
    no = says("I can't help with that.")
    assert refusal.agree(PLAIN, no, says("", refused=True)) == 1
    assert refusal.agree(PLAIN, no, says("Sure!")) == 0
    assert refusal.agree(PLAIN, says("Yes"), says("Sure!")) == 1


def test_the_default_takes_the_rule_that_fits() -> None:
    call = says("", ("clock", "{}"))
    text = says("It is noon")
    assert agreement.basis(WITH_TOOLS, call, call) == "tool_equality"
    assert agreement.basis(WITH_TOOLS, text, call) == "tool_equality"
    assert agreement.basis(WITH_TOOLS, text, text) == "lexical_similarity"
    assert agreement.basis(JSON, text, text) == "json_equality"
    assert agreement.agree(WITH_TOOLS, text, call) == 0
    assert agreement.agree(PLAIN, text, says("it is midnight")) == pytest.approx(2 / 3)
    assert agreement.agree(JSON, says("[1]"), says("[1.0]")) == 1


def vectors(text: str) -> list[float] | None:
    return {"cat": [1.0, 0.0], "kitten": [3.0, 4.0], "stock": [-1.0, 0.0], "zero": [0.0, 0.0], "long": [1.0] * 3}.get(
        text
    )


def test_the_cosine_of_two_texts() -> None:
    def agree(one: str, other: str) -> float | None:
        return embedding_similarity.agree(PLAIN, says(one), says(other), vectors=vectors)

    assert agree("cat", "kitten") == pytest.approx(0.6)
    assert agree("cat", " cat ") == 1
    assert agree("cat", "stock") == 0
    assert agree("cat", "") == 0
    assert agree("", " ") is None
    for missing in ("nobody", "zero", "long"):
        with pytest.raises(NotMeasuredError):
            agree("cat", missing)


def test_texts_that_need_a_vector() -> None:
    assert embedding_similarity.texts_of([says("a"), None, says(" a "), says(""), says("b")]) == ["a", "b"]


def test_every_measure_keeps_the_contract() -> None:
    functions = {"figure": "value", "validity": "valid", "agreement": "agree"}
    found = registry.names("shadow.measures")
    for name in found:
        module = registry.load("shadow.measures", name)
        assert name == module.NAME
        assert callable(getattr(module, functions[module.KIND]))
        assert module.ABOUT.endswith(".")
        assert (module.KIND == "figure") is hasattr(module, "UNIT")
    assert len(found) == 20
