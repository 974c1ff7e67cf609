"""Health and readiness over HTTP, and what the listener does with those who do not behave."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

import pytest

from tests.daemon.conftest import PATIENCE, Config, Ports, Process, entry
from tests.daemon.watchers import get, served
from tests.secrecy import STEM


def test_alive_and_ready(registrar: Ports, config: Config, start: Callable[..., Process]) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    daemon = start(*config.arguments("--health", "127.0.0.1:0"))
    daemon.wait_for("alice: Registered")
    alive = get(served(daemon), "/healthz")
    assert (alive.status, json.loads(alive.body)) == (200, {"alive": True})
    ready = get(served(daemon), "/readyz")
    assert ready.status == 200
    assert json.loads(ready.body) == {"ready": True, "policy": "all", "registered": 1, "registrations": 1}
    assert get(served(daemon), "/metrics").status == 404


@pytest.mark.parametrize(("policy", "status"), [("all", 503), ("any", 200), ("none", 200)])
def test_one_of_two(registrar: Ports, config: Config, start: Callable[..., Process], policy: str, status: int) -> None:
    uri = f"sip:127.0.0.1:{registrar.udp}"
    config.write(entry("alice", uri), entry("bob", uri, password=f"{STEM}-wrong"))
    daemon = start(*config.arguments("--health", ":0", "--ready", policy))
    daemon.wait_for("alice: Registered")
    daemon.wait_for("bob: Rejected")
    ready = get(served(daemon), "/readyz")
    assert (ready.status, json.loads(ready.body)["registered"]) == (status, 1)


@pytest.mark.parametrize(("policy", "status"), [("all", 503), ("any", 503), ("none", 200)])
def test_none_of_one(registrar: Ports, config: Config, start: Callable[..., Process], policy: str, status: int) -> None:
    config.write(entry("bob", f"sip:127.0.0.1:{registrar.udp}", password=f"{STEM}-wrong"))
    daemon = start(*config.arguments("--health", ":0", "--ready", policy))
    daemon.wait_for("bob: Rejected")
    assert get(served(daemon), "/readyz").status == status
    assert get(served(daemon), "/healthz").status == 200


def test_one_address_for_both_is_one_listener(registrar: Ports, config: Config, start: Callable[..., Process]) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    daemon = start(*config.arguments("--health", ":0", "--metrics", ":0"))
    assert "/healthz, /readyz, /metrics" in daemon.wait_for("serving /")
    daemon.wait_for("alice: Registered")
    assert [get(served(daemon), path).status for path in ("/healthz", "/readyz", "/metrics")] == [200] * 3


def say(address: tuple[str, int], data: bytes) -> bytes:
    """What is answered to some bytes, until the end."""
    with socket.create_connection(address, timeout=PATIENCE) as connection:
        connection.sendall(data)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def test_only_what_is_there_and_only_reading(registrar: Ports, config: Config, start: Callable[..., Process]) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    daemon = start(*config.arguments("--health", ":0"))
    address = served(daemon)
    head = get(address, "/healthz", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    refused = get(address, "/healthz", "DELETE")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")
    assert get(address, "/etc/passwd").status == 404
    assert get(address, "/healthz?verbose").status == 200
    assert say(address, b"REGISTER sip:x SIP/2.0\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert say(address, b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert say(address, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000).startswith(b"HTTP/1.1 431 ")
    assert say(address, b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert get(address, "/healthz").status == 200
    assert "internal error" not in daemon.output


def test_who_asks_for_nothing_is_dropped_and_takes_no_place_from_others_for_long(
    registrar: Ports, config: Config, start: Callable[..., Process]
) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    daemon = start(*config.arguments("--health", ":0"))
    address = served(daemon)
    idle = [socket.create_connection(address, timeout=PATIENCE) for _ in range(40)]
    # Closed at once where there are too many, and after REQUEST_TIMEOUT where a request does not come.
    assert [connection.recv(1) for connection in idle] == [b""] * 40
    for connection in idle:
        connection.close()
    assert get(address, "/healthz").status == 200
