"""Errors say whose fault it is, and what would have been right."""

from __future__ import annotations

import pickle

import pytest

from sipcore import errors
from sipcore.errors import (
    ConfigError,
    LimitExceeded,
    LocalProtocolError,
    RegistrationFailed,
    RemoteProtocolError,
    SipError,
)
from sipcore.values import Cause, Phase, Protocol, Secret, State, Status


def status(cause: Cause | None) -> Status:
    return Status(
        name="alice",
        state=State.REJECTED,
        phase=Phase.WAITING,
        cause=cause,
        server=None,
        transport=None,
        flow=None,
        attempt=1,
        since=0.0,
        expires_at=None,
        next_attempt_at=None,
        bindings=(),
    )


def test_the_tree() -> None:
    assert {name: getattr(errors, name).__mro__[1] for name in errors.__all__} == {
        "SipError": Exception,
        "LocalProtocolError": SipError,
        "RemoteProtocolError": SipError,
        "LimitExceeded": RemoteProtocolError,
        "ConfigError": SipError,
        "ReplayError": SipError,
        "RegistrationFailed": SipError,
    }


def test_what_the_application_did_is_not_what_the_peer_did() -> None:
    assert not issubclass(LocalProtocolError, RemoteProtocolError)
    assert not issubclass(LimitExceeded, LocalProtocolError)


def test_a_config_error_names_option_value_and_what_would_be_valid() -> None:
    error = ConfigError("expires", 0, "a whole number from 1 to 10")
    assert str(error) == "expires = 0: a whole number from 1 to 10"
    assert (error.option, error.value, error.expected, error.where) == (
        "expires",
        0,
        "a whole number from 1 to 10",
        None,
    )


def test_a_config_error_of_a_file_names_the_line() -> None:
    error = ConfigError("port", "x\ny", "a port", where="pjsip.conf:12")
    assert str(error) == "pjsip.conf:12: port = 'x\\ny': a port"
    assert error.where == "pjsip.conf:12"


def test_a_long_value_is_cut_in_the_text_and_whole_in_the_error() -> None:
    error = ConfigError("user_agent", "a" * 20_000, "at most 15360 characters")
    assert len(str(error)) < 300
    assert str(error).endswith("aaa…: at most 15360 characters")
    assert error.value == "a" * 20_000


def test_a_config_error_keeps_a_secret() -> None:
    error = ConfigError("password", Secret("kanarie"), "no line ends")
    assert "kanarie" not in str(error)
    assert "kanarie" not in repr(error)


def test_a_config_error_can_be_pickled() -> None:
    """Errors cross process boundaries in test runners and worker pools."""
    error = pickle.loads(pickle.dumps(ConfigError("a", 1, "b")))
    assert (error.option, error.value, error.expected, error.where) == ("a", 1, "b", None)


def test_a_failed_registration_says_why() -> None:
    cause = Cause(code=403, reason="Forbidden", detail="x", server="192.0.2.1:5060", transport=Protocol.UDP)
    error = RegistrationFailed(status(cause))
    assert str(error) == "alice: 403 Forbidden: x [UDP 192.0.2.1:5060]"
    assert error.status.cause is cause
    assert str(RegistrationFailed(status(None))) == "alice: no answer yet"


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_has_a_text(name: str) -> None:
    assert getattr(errors, name).__doc__
