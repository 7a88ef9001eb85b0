"""Strict JSON: texts on which readers disagree are refused, with the place; all other JSON is
accepted.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_server.http import strict_json

DEEP = strict_json.DEPTH


@pytest.mark.parametrize(
    ("text", "words", "is_json"),
    [
        ('{"a": 1,\n "b": {"c": 1, "c": 2}}', "'c' twice in one object, again at line 2, column 16", 1),
        (r'{"a": 1, "\u0061": 2}', "'a' twice in one object, again at line 1, column 10", 1),
        (r'["x", "\ud83d"]', "half of a surrogate pair in the string at line 1, column 7", 1),
        (r'{"\ude00": 1}', "half of a surrogate pair in the string at line 1, column 2", 1),
        ("[1, NaN]", "is no JSON: NaN is not a JSON value at line 1, column 5", 0),
        ("[-Infinity]", "-Infinity is not a JSON value at line 1, column 2", 0),
        ("1.6E666E66", "a number that is too large for a float at line 1, column 1", 1),
        ("[1e999]", "a number that is too large for a float at line 1, column 2", 1),
        ("[" + "9" * 5000 + "]", "a number of more than 1000 characters at line 1, column 2", 1),
        ("[0." + "9" * 5000 + "]", "a number of more than 1000 characters at line 1, column 2", 1),
        ("[" * (DEEP + 1) + "]" * (DEEP + 1), "nested more than 100 deep at line 1, column 101", 1),
        ('{"a":' * 200_000, "nested more than 100 deep at line 1, column 501", 1),
        ("[1,]", "is no JSON:", 0),
        ('{"a" 1}', "at line 1, column 6", 0),
        ("", "is no JSON: Expecting value at line 1, column 1", 0),
        ("\ufeff1", "is no JSON", 0),
    ],
)  # fmt: skip
def test_a_mistake_has_its_place(text: str, words: str, is_json: int) -> None:
    with pytest.raises(strict_json.JsonError) as caught:
        strict_json.parse(text.encode())
    assert words in str(caught.value)
    assert caught.value.is_json == bool(is_json)


def test_not_utf8_has_its_place() -> None:
    with pytest.raises(strict_json.JsonError, match="not UTF-8 at line 2, column 3"):
        strict_json.parse(b'[\n "\xff"]')


@pytest.mark.parametrize(
    "text",
    [
        "[" * DEEP + "]" * DEEP,
        '{"a":' * (DEEP - 1) + "[]" + "}" * (DEEP - 1),
        json.dumps(["[" * 500, {"{": '"]'}] * 60),
        r'"\ud83d\ude00"',
        '[{"a": 1}, {"a": 2}, "a", "a"]',
        '{"a": {"a": {"a": ["a"]}}}',
        "-0.0e-999",
        "9" * 1000,
    ],
)
def test_what_is_strict_already_is_taken(text: str) -> None:
    assert strict_json.parse(text.encode()) == json.loads(text)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES, st.booleans())
def test_any_json_value_comes_back(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert strict_json.parse(text.encode()) == value


@given(st.binary() | st.text('[]{}",:\\u0d8eNI-1 \n').map(str.encode))
def test_any_bytes_are_a_value_or_an_error_with_a_place(data: bytes) -> None:
    try:
        strict_json.parse(data)
    except strict_json.JsonError as error:
        said = str(error)
    else:
        said = " at line "
    assert " at line " in said
