"""No failure shows a password or a digest: a canary through every path that can go wrong."""

from __future__ import annotations

import copy
import dataclasses
import functools
import hashlib
import json
import pickle
import pprint
import traceback
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from sipcore.auth import (
    Algorithm,
    Challenge,
    ClientAuth,
    Credential,
    DigestVerifier,
    parse_challenges,
    select,
)
from sipcore.auth import sha512_256 as fallback
from sipcore.auth.computation import response, session_key
from sipcore.auth.digest import MAX_NC
from sipcore.auth.sha512_256 import Sha512of256
from sipcore.errors import ConfigError
from sipcore.values import Secret

CANARY = "kanarienvogel"
USER = "alice"
HA1 = hashlib.md5(f"{USER}:r:{CANARY}".encode()).hexdigest()
NEEDLES = (CANARY, HA1, HA1.upper(), hashlib.sha256(f"{USER}:r:{CANARY}".encode()).hexdigest())


def secret() -> Secret:
    return Secret(CANARY)


def assert_hidden(text: str) -> None:
    for needle in NEEDLES:
        assert needle not in text


def assert_raises_hidden(function: Callable[[], object], error: type[BaseException]) -> None:
    with pytest.raises(error) as caught:
        function()
    # The frame that called this helper is not the library's: start where the library starts.
    shown = traceback.TracebackException(
        type(caught.value), caught.value, caught.tb.tb_next, capture_locals=True, max_group_width=100
    )
    assert_hidden("".join(shown.format()))
    assert_hidden(repr(caught.value))
    assert_hidden(str(caught.value))
    link: BaseException | None = caught.value
    while link is not None:
        assert_hidden(repr(link.args))
        link = link.__context__


def credential(**options: Any) -> Credential:
    return Credential(**{"username": USER, "password": secret(), **options})


def objects() -> list[object]:
    """Everything of this room that holds a secret, after use."""
    user = credential(ha1=((Algorithm.SHA_256, Secret(NEEDLES[3])),))
    server = DigestVerifier("r", random=Random(1), algorithms=(Algorithm.MD5_SESS, Algorithm.MD5))
    client = ClientAuth()
    client.answer(parse_challenges(server.challenges(now=0.0), proxy=False), (), [user])
    ((_, value),) = client.credentials("REGISTER", "sip:r", b"", Random(2))
    result = server.verify(value, "REGISTER", "sip:r", b"", lambda *_: user, 0.0)
    assert result.ok
    return [user, *client.sessions, client, server, result, result.proof, ConfigError("password", secret(), "x")]


@pytest.mark.parametrize("show", [repr, str, format, ascii, pprint.pformat, lambda value: f"{value!r:>300}"])
def test_nothing_that_is_printed_shows_a_secret(show: Callable[[object], str]) -> None:
    for value in objects():
        assert_hidden(show(value))


def test_dataclass_tools_and_copies_keep_the_mask() -> None:
    user = credential()
    assert_hidden(repr(dataclasses.asdict(user)))
    assert copy.deepcopy(user) == user
    assert_hidden(repr(copy.deepcopy(user)))
    assert_hidden(json.dumps(dataclasses.asdict(user), default=str))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_is_pickled(protocol: int) -> None:
    assert_raises_hidden(lambda: pickle.dumps(credential(), protocol), TypeError)
    assert_raises_hidden(lambda: pickle.dumps(credential().password, protocol), TypeError)


@pytest.mark.parametrize(
    "options",
    [
        {"password": Secret(f"{CANARY}\r\n")},
        {"password": Secret(f"{CANARY}\ud800")},
        {"username": ""},
        {"realm": "\0"},
        {"algorithms": ()},
        {"ha1": ((Algorithm.MD5, Secret(CANARY)),)},
        {"ha1": ((Algorithm.SHA_256, Secret(HA1)),)},
        {"ha1": ((Algorithm.MD5, Secret(HA1)), (Algorithm.MD5, Secret(HA1)))},
        {"password": None, "ha1": ((Algorithm.MD5, Secret(HA1)),), "algorithms": (Algorithm.SHA_256,)},
    ],
)
def test_no_refused_configuration_shows_a_secret(options: dict[str, Any]) -> None:
    assert_raises_hidden(lambda: credential(**options), ConfigError)


class Failing:
    """A hash function that fails in its own frame, as hashlib does when a policy forbids an algorithm."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __call__(self, data: bytes) -> Any:
        del data
        raise self.error("no hash today")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("algorithm", [Algorithm.MD5, Algorithm.MD5_SESS])
def test_no_failing_hash_shows_a_secret(
    algorithm: Algorithm, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    user, ha1 = credential(), Secret(HA1)
    challenge = Challenge("Digest", "r", "n", algorithm=algorithm.value, qop=("auth",))
    (session,) = select([challenge], [user]).sessions
    server = DigestVerifier("r", random=Random(1), algorithms=(algorithm,))
    good = select(parse_challenges(server.challenges(now=0.0), proxy=False), [user]).sessions[0]
    value = good.authorization("REGISTER", "sip:r", b"", Random(1))
    monkeypatch.setattr(algorithm, "digest", Failing(error))
    for function in (
        lambda: user.ha1_for(algorithm, "r"),
        lambda: user.ha1_for(algorithm, "r", normalised=True),
        lambda: session.authorization("REGISTER", "sip:r", b"", Random(1)),
        lambda: select([challenge], [user]),
        lambda: session_key(algorithm, ha1, "n", "c"),
        lambda: response(algorithm, ha1, "n", "1", "c", "auth", "a2"),
        lambda: response(algorithm, ha1, "n", "", "", None, "a2"),
        lambda: server.verify(value, "REGISTER", "sip:r", b"", lambda *_: user, 0.0),
    ):
        assert_raises_hidden(function, error)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, RecursionError])
def test_the_hash_in_python_drops_its_frames_when_it_is_interrupted(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(state: tuple[int, ...], block: bytes) -> tuple[int, ...]:
        raise error("interrupted")

    monkeypatch.setattr(fallback, "_compress", interrupted)
    monkeypatch.setattr(Algorithm.SHA_512_256, "digest", Sha512of256)
    assert_raises_hidden(lambda: credential().ha1_for(Algorithm.SHA_512_256, "r"), error)


def test_a_worn_out_session_shows_no_secret() -> None:
    (session,) = select([Challenge("Digest", "r", "n")], [credential()]).sessions
    session.nc = MAX_NC
    assert_raises_hidden(lambda: session.authorization("REGISTER", "sip:r", b"", Random(1)), Exception)


def test_what_goes_onto_the_wire_holds_neither_password_nor_digest() -> None:
    server = DigestVerifier("r", random=Random(1), algorithms=list(Algorithm), qops=("auth", "auth-int"))
    for text in server.challenges(now=0.0):
        (session,) = select(parse_challenges([text], proxy=False), [credential()]).sessions
        value = session.authorization("REGISTER", "sip:r", b"", Random(1))
        assert_hidden(value)
        result = server.verify(value, "REGISTER", "sip:r", b"", lambda *_: credential(), 0.0)
        assert_hidden(str(server.authentication_info(result, next_nonce_at=1.0)))


def test_the_canary_is_found_where_it_is_not_hidden() -> None:
    # Else the tests above would prove nothing.
    def careless(text: str) -> None:
        raise ValueError("careless")

    with pytest.raises(AssertionError):
        assert_raises_hidden(functools.partial(careless, CANARY), ValueError)
