"""RESP: answers are read however the bytes are cut, and commands as redis-py writes them."""

from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from redis.connection import Connection

from celery_rpc.transport.redis.resp import MORE, Answers, BadAnswer, pack

ANSWERS = st.recursive(
    st.none() | st.integers(-(2**60), 2**60) | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=20,
)


def wire(value: Any) -> bytes:
    """Return an answer as a server writes it."""
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, bytes):
        return b"$%d\r\n%b\r\n" % (len(value), value)
    return b"*%d\r\n" % len(value) + b"".join(map(wire, value))


@given(values=st.lists(ANSWERS, max_size=6), size=st.integers(1, 50))
def test_answers_are_read_however_they_are_cut(values: list[Any], size: int) -> None:
    stream = b"".join(map(wire, values))
    answers, found = Answers(), []
    for at in range(0, len(stream), size):
        answers.feed(stream[at : at + size])
        while (value := answers.next()) is not MORE:
            found.append(value)
    assert found == values
    assert answers.empty


def test_simple_strings_and_errors() -> None:
    answers = Answers()
    answers.feed(b"+OK\r\n-OOM no room\r\n*-1\r\n")
    assert answers.next() == b"OK"
    error = answers.next()
    assert isinstance(error, redis.ResponseError)
    assert str(error) == "OOM no room"
    assert answers.next() is None
    assert answers.next() is MORE


@pytest.mark.parametrize("junk", [b"HTTP/1.1 400\r\n", b"$x\r\n", b"!3\r\nabc\r\n"])
def test_what_is_no_resp_is_refused(junk: bytes) -> None:
    answers = Answers()
    answers.feed(junk)
    with pytest.raises(BadAnswer):
        answers.next()


WORDS = st.binary(max_size=20) | st.text(max_size=20) | st.integers()
COMMAND = st.builds(lambda name, words: [name, *words], st.just("LPUSH"), st.lists(WORDS))


@given(st.lists(COMMAND, min_size=1, max_size=4))
def test_commands_equal_redis_pys(commands: list[list[Any]]) -> None:
    theirs = b"".join(Connection().pack_commands(commands))
    assert pack(commands) == theirs
