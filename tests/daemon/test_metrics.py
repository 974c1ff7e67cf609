"""Metrics over HTTP, as Prometheus' own parser reads them, and StatsD's gauges."""

from __future__ import annotations

import gzip
import socket
import subprocess
import time
from collections.abc import Callable

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families

from sipcore.events import FlowLost, MessageDropped
from sipcore.exchange import Failure, Outcome, Reply
from sipcore.syntax.message import Response, parse_message
from sipcore.values import OutcomeClass
from sipcore_trio.daemon.counts import BUCKETS, MAX_CODES, MAX_REASONS, Counts
from tests.daemon.conftest import PATIENCE, Config, Ports, Process, entry
from tests.daemon.watchers import Samples, get, samples, served
from tests.secrecy import STEM


def response(code: int) -> Response:
    text = f"SIP/2.0 {code} X\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n"
    parsed = parse_message(f"{text}Call-ID: 1\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n".encode())
    assert isinstance(parsed, Response)
    return parsed


def scrape(daemon: Process) -> Samples:
    reply = get(served(daemon), "/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    return samples(reply.body.decode())


def test_a_registration_in_numbers(registrar: Ports, config: Config, start: Callable[..., Process]) -> None:
    config.write(
        entry("alice", f"sip:127.0.0.1:{registrar.udp}"),
        entry("bob", f"sip:127.0.0.1:{registrar.udp}", password=f"{STEM}-wrong"),
    )
    daemon = start(*config.arguments("--metrics", ":0", "--asterisk-metrics"))
    daemon.wait_for("alice: Registered")
    daemon.wait_for("bob: Rejected")
    found = scrape(daemon)

    def value(name: str, **labels: str) -> float | None:
        pairs = {key.rstrip("_"): text for key, text in labels.items()}
        return found.get((f"sipcore_{name}", tuple(sorted(pairs.items()))))

    for name, state in (("alice", "Registered"), ("bob", "Rejected")):
        states = {one: value("registration_state", registration=name, state=one) for one in STATES}
        assert states == {one: float(one == state) for one in STATES}
    assert value("registrations", state="Registered") == 1
    expiry = value("registration_expiry_timestamp_seconds", registration="alice")
    planned = value("registration_next_attempt_timestamp_seconds", registration="bob")
    success = value("registration_last_success_timestamp_seconds", registration="alice")
    now = time.time()
    assert expiry is not None
    assert planned is not None
    assert success is not None
    assert now + 3000 < expiry < now + 3601
    assert now + 300 < planned < now + 700
    assert now - PATIENCE < success <= now + 1
    assert value("granted_expires_seconds", registration="alice") == 3600
    assert value("registration_expiry_timestamp_seconds", registration="bob") is None
    assert value("register_requests_total", registration="alice", kind="initial") == 1
    assert value("register_requests_total", registration="alice", kind="auth") == 1
    assert value("register_requests_total", registration="alice", kind="refresh") == 0
    assert value("register_responses_total", registration="alice", code="401", class_="challenge") == 1
    assert value("register_responses_total", registration="alice", code="200", class_="success") == 1
    assert value("register_responses_total", registration="bob", code="401", class_="refused credentials") == 1
    assert value("flow_up", registration="alice") == 1
    assert value("flow_up", registration="bob") == 0
    assert value("consecutive_failures", registration="bob") == 1
    challenges = {kind: value("auth_challenges_total", reason=kind) for kind in CHALLENGES}
    assert challenges["initial"] == 2
    assert challenges["stale"] == 0
    assert sum(number or 0 for number in challenges.values()) > 2
    answers = sum(number for (name, _), number in found.items() if name == "sipcore_register_responses_total")
    assert value("register_duration_seconds_count") == answers
    assert value("register_duration_seconds_bucket", le="+Inf") == answers
    server = f"127.0.0.1:{registrar.udp}"
    info = {"registration": "alice", "aor": "sip:alice@example.com", "registrar": f"sip:{server}"}
    assert value("registration_info", **info, server=server, transport="UDP") == 1
    asterisk = {
        labels["username"]: (number, labels["domain"], labels["channel_type"])
        for (name, pairs), number in found.items()
        if name == "asterisk_pjsip_outbound_registration_status"
        for labels in [dict(pairs)]
    }
    assert asterisk == {
        "sip:alice@example.com": (1, f"sip:{server}", "PJSIP"),
        "sip:bob@example.com": (2, f"sip:{server}", "PJSIP"),
    }


STATES = ("Registered", "Unregistered", "Rejected")
CHALLENGES = ("initial", "stale", "nonce_changed", "rejected")


def test_kinds_of_requests(
    registrar: Ports,
    config: Config,
    start: Callable[..., Process],
    sipcore: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
    daemon = start(*config.arguments("--metrics", ":0", "--log-level", "debug"))
    daemon.wait_for("alice: Registered")
    assert sipcore("send", "register", "alice", "--control", config.control).returncode == 0
    daemon.wait_for("refreshed for")
    assert sipcore("send", "unregister", "alice", "--control", config.control).returncode == 0
    daemon.wait_for("alice: Unregistered")
    found = scrape(daemon)
    kinds = {
        dict(labels)["kind"]: number
        for (name, labels), number in found.items()
        if name == "sipcore_register_requests_total"
    }
    assert (kinds["initial"], kinds["refresh"]) == (1, 1)
    assert kinds["remove"] >= 1
    assert found["sipcore_registration_state", (("registration", "alice"), ("state", "Unregistered"))] == 1
    assert ("sipcore_registration_expiry_timestamp_seconds", (("registration", "alice"),)) not in found


def test_openmetrics_and_gzip(registrar: Ports, config: Config, start: Callable[..., Process]) -> None:
    text = entry('al"ice', f"sip:127.0.0.1:{registrar.udp}")
    config.write(text.replace('sip:al"ice@', "sip:alice@").replace('username = al"ice', "username = alice"))
    daemon = start(*config.arguments("--metrics", ":0"))
    daemon.wait_for("Registered")
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    reply = get(served(daemon), "/metrics", headers={"accept": accept, "accept-encoding": "gzip"})
    assert (reply.status, reply.headers["content-encoding"]) == (200, "gzip")
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    text = gzip.decompress(reply.body).decode()
    assert text.endswith("# EOF\n")
    names = {
        sample.labels["registration"]
        for family in openmetrics_families(text)  # type: ignore[no-untyped-call]  # the library has no types here
        for sample in family.samples
        if "registration" in sample.labels
    }
    assert names == {'al"ice'}


def test_what_a_peer_can_choose_is_bounded() -> None:
    counts = Counts()
    for code in range(400, 500):
        counts.answered("alice", Reply(response(code)), Outcome(OutcomeClass.PERMANENT, "", code), 0.1)
        counts.tell(FlowLost(flow=1, remote=None, error=f"error {code}", names=()), 0.0)
        counts.tell(MessageDropped(cause=f"cause {code}", flow=1, source=None, count=2), 0.0)
    responses = counts.totals("alice").responses
    assert len(responses) == MAX_CODES + 1
    assert responses["other", "other"] == 100 - MAX_CODES
    general = counts.general()
    assert len(general.flow_failures) == len(general.dropped) == MAX_REASONS + 1
    assert (general.flow_failures["other"], general.dropped["other"]) == (100 - MAX_REASONS, 2 * (100 - MAX_REASONS))


def test_silence_is_no_answer_and_has_no_duration() -> None:
    counts = Counts()
    counts.answered("alice", Reply(None, Failure.TIMEOUT), Outcome(OutcomeClass.TEMPORARY), 32.0)
    assert counts.totals("alice").unanswered == {"no_answer": 1}
    assert counts.totals("alice").responses == {}
    assert sum(counts.general().durations) == 0


def test_a_duration_falls_into_the_bucket_whose_bound_it_reaches() -> None:
    counts = Counts()
    for seconds in (*BUCKETS, BUCKETS[-1] + 1):
        counts.answered("alice", Reply(response(200)), Outcome(OutcomeClass.SUCCESS), seconds)
    assert counts.general().durations == [1] * (len(BUCKETS) + 1)


def test_registrations_that_are_gone_are_forgotten() -> None:
    counts = Counts()
    for name in ("alice", "bob"):
        counts.answered(name, Reply(response(200)), Outcome(OutcomeClass.SUCCESS), 0.1)
    counts.forget_but(frozenset({"bob", "carol"}))
    assert counts.totals("alice").responses == {}
    assert counts.totals("bob").responses != {}


@pytest.fixture
def statsd() -> Gauges:
    return Gauges()


class Gauges:
    """A StatsD server that only writes down."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def take(self, count: int) -> list[str]:
        return [self.socket.recv(512).decode() for _ in range(count)]


def test_the_gauges_of_asterisk(
    registrar: Ports, config: Config, start: Callable[..., Process], statsd: Gauges
) -> None:
    with statsd.socket:
        config.write(entry("alice", f"sip:127.0.0.1:{registrar.udp}"))
        daemon = start(*config.arguments("--statsd", statsd.address))
        prefix = "PJSIP.registrations"
        assert statsd.take(4) == [
            f"{prefix}.count:0|g",
            f"{prefix}.state.Registered:0|g",
            f"{prefix}.state.Unregistered:0|g",
            f"{prefix}.state.Rejected:0|g",
        ]
        assert statsd.take(2) == [f"{prefix}.count:+1|g", f"{prefix}.state.Unregistered:+1|g"]
        assert statsd.take(2) == [f"{prefix}.state.Unregistered:-1|g", f"{prefix}.state.Registered:+1|g"]
        daemon.process.terminate()
        assert statsd.take(4) == [
            f"{prefix}.state.Registered:-1|g",
            f"{prefix}.state.Unregistered:+1|g",
            f"{prefix}.count:-1|g",
            f"{prefix}.state.Unregistered:-1|g",
        ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--asterisk-metrics"], "sipcore: --asterisk-metrics needs --metrics"),
        (["--ready", "any"], "sipcore: --ready needs --health"),
        (["--metrics", "example.com:9100"], "--metrics: HOST:PORT with an IP address"),
        (["--metrics", "::1:9100"], "--metrics: HOST:PORT with an IP address"),
        (["--health", "127.0.0.1:70000"], "--health: HOST:PORT with an IP address"),
        (["--statsd", ":8125"], "--statsd: HOST:PORT, such as"),
        (["--statsd", "nowhere.invalid:8125"], "sipcore: --statsd nowhere.invalid:8125: "),
    ],
)
def test_options_that_cannot_be_used(
    config: Config, sipcore: Callable[..., subprocess.CompletedProcess[str]], arguments: list[str], text: str
) -> None:
    config.write(entry("alice", "sip:127.0.0.1:5060"))
    ended = sipcore(*config.arguments(*arguments))
    assert ended.returncode == 2
    assert text in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_port_that_is_taken_ends_the_command(
    config: Config, sipcore: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    config.write(entry("alice", "sip:127.0.0.1:5060"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = sipcore(*config.arguments("--metrics", f":{port}"))
    assert (ended.returncode, ended.stderr) == (
        2,
        f"sipcore: HTTP on 127.0.0.1:{port}: Address already in use\n",
    )
