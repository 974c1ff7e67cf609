"""Fixtures of the interop tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sipcore import Account, Protocol, Timing, Transport
from tests.interop.stacks import STACKS, Stack
from tests.secrecy import PASSWORD

TIMING = Timing(t1=0.05, t2=0.4, t4=0.5)
"""A tenth of the standard's times: loopback loses nothing, and a retransmission costs little."""

AccountMaker = Callable[..., Account]


@pytest.fixture(params=STACKS, ids=lambda stack: stack.name)
def stack(request: pytest.FixtureRequest) -> Stack:
    """Each driver in turn."""
    chosen: Stack = request.param
    return chosen


@pytest.fixture(params=Protocol, ids=str)
def protocol(request: pytest.FixtureRequest) -> Protocol:
    """Each transport protocol in turn."""
    chosen: Protocol = request.param
    return chosen


@pytest.fixture
def account(protocol: Protocol) -> AccountMaker:
    """Makes alice's account at a registrar's URI; options replace what is set here."""

    def make(registrar: str, **options: object) -> Account:
        settings: dict[str, object] = {
            "username": "alice",
            "password": PASSWORD,
            "registrar": registrar,
            "transport": Transport(protocol=protocol),
            "timing": TIMING,
            **options,
        }
        return Account("sip:alice@127.0.0.1", **settings)  # type: ignore[arg-type]  # checked by Account itself

    return make


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where a peer writes what it has to say."""
    return tmp_path / "peer.log"
