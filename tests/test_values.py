"""`Secret`: used, never shown."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable

import pytest

from sipcore.values import Secret

CANARY = "kanarienvogel"


def shown(error: BaseException) -> str:
    """All that a traceback with local variables prints, from the library's first frame on."""
    trace = error.__traceback__
    assert trace is not None
    return "".join(traceback.TracebackException(type(error), error, trace.tb_next, capture_locals=True).format())


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        format,
        ascii,
        "{:>20}".format,
        "%s".__mod__,
        "%r".__mod__,
        lambda value: f"{value!r}",
        lambda v: repr([v]),
    ],
)
def test_no_way_of_printing_shows_the_text(show: Callable[[object], str]) -> None:
    text = show(Secret(CANARY))
    assert CANARY not in text
    assert "***" in text


def test_the_mask_says_nothing_about_the_length() -> None:
    assert repr(Secret("")) == repr(Secret(CANARY * 10)) == "Secret('***')"
    assert str(Secret("")) == str(Secret(CANARY * 10)) == "***"


def test_a_log_record_shows_the_mask(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("password %s %r", Secret(CANARY), Secret(CANARY))
    assert "***" in caplog.text
    assert CANARY not in caplog.text


def test_reveal_and_apply_give_the_text_to_whom_it_is_for() -> None:
    assert Secret(CANARY).reveal() == CANARY
    assert Secret(CANARY).apply(str.upper) == Secret(CANARY.upper())


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError) as caught:
        pickle.dumps(Secret(CANARY), protocol)
    assert CANARY not in shown(caught.value)
    with pytest.raises(TypeError):
        Secret(CANARY).__reduce_ex__(protocol)
    with pytest.raises(TypeError):
        Secret(CANARY).__getstate__()


def test_it_is_not_json_and_a_default_shows_the_mask() -> None:
    with pytest.raises(TypeError) as caught:
        json.dumps({"password": Secret(CANARY)})
    assert CANARY not in str(caught.value)
    assert json.dumps(Secret(CANARY), default=str) == '"***"'
    with pytest.raises(TypeError):
        json.dumps(Secret(CANARY), default=vars)


def test_copies_are_the_secret_itself() -> None:
    secret = Secret(CANARY)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_equality_is_that_of_the_texts_and_the_hash_tells_nothing() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert hash(Secret("a")) == hash(Secret("b"))


def test_an_empty_secret_is_a_secret() -> None:
    assert Secret("")


def test_what_is_no_text_is_refused_without_being_shown() -> None:
    with pytest.raises(TypeError) as caught:
        Secret(CANARY.encode())  # type: ignore[arg-type]  # the mistake that is tested
    assert CANARY not in shown(caught.value)
    assert str(caught.value) == "a Secret is made of str, not of bytes"


@pytest.mark.parametrize("function", [str.encode, "é".join, lambda text: text + 1, lambda text: {}[text]])
def test_a_function_that_fails_takes_its_frames_with_it(function: Callable[[str], str]) -> None:
    def call() -> None:
        Secret(CANARY).apply(function).apply(fail)

    def fail(text: str) -> str:
        raise ValueError(text)

    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert CANARY not in shown(caught.value)
    assert caught.value.__context__ is None


def test_an_interrupt_passes_through_without_the_frames_of_the_function() -> None:
    def interrupted(text: str) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        Secret(CANARY).apply(interrupted)
    assert CANARY not in shown(caught.value)


def test_the_canary_would_be_seen() -> None:
    def careless(text: str) -> None:
        raise ValueError

    with pytest.raises(ValueError) as caught:
        careless(CANARY)
    assert CANARY in shown(caught.value)
