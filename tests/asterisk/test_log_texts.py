"""The log as Asterisk writes it: each text, and when it is the one."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.asterisk.logtext import TEXTS, LogLine, asterisk_log, log_line, refusal_log
from sipcore.asterisk.objects import parse
from sipcore.errors import ConfigError
from sipcore.events import Event, FlowLost, Listening, Registered, Rejected, Unregistered
from sipcore.profiles import SIPCORE
from sipcore.values import Cause, OutcomeClass
from tests.asterisk.console_view import DATA, NOW, account
from tests.secrecy import PASSWORD

TEMPORARY, PERMANENT, REFUSED = OutcomeClass.TEMPORARY, OutcomeClass.PERMANENT, OutcomeClass.CREDENTIALS

FROM = "received from 'sip:127.0.0.1:5080' on registration attempt to 'sip:good@bars.invalid'"


def rejected(kind: OutcomeClass, code: int | None, wait: float | None, retry_after: int | None = None) -> Rejected:
    cause = Cause(kind=kind, code=code, retry_after=retry_after)
    return Rejected(name="good", kind=kind, status=code, cause=cause, retry_at=None if wait is None else NOW + wait)


def told(event: Event, **options: Any) -> list[tuple[str, str]]:
    return [(line.level, line.text) for line in asterisk_log(event, account("good", **options), now=NOW)]


CASES: list[tuple[str, Event, dict[str, Any], str]] = [
    ("temporary", rejected(TEMPORARY, 503, 60.0), {}, f"Temporal response '503' {FROM}, retrying in '60'"),
    ("temporary", rejected(PERMANENT, 404, 7.0, 7), {}, f"Temporal response '404' {FROM}, retrying in '7'"),
    ("temporary", rejected(REFUSED, 403, 5.0, 5), {}, f"Temporal response '403' {FROM}, retrying in '5'"),
    ("silence", rejected(TEMPORARY, None, 60.0), {}, f"No response {FROM}, retrying in '60'"),
    (
        "exhausted",
        rejected(TEMPORARY, 503, None),
        {},
        "Maximum retries reached when attempting outbound registration to 'sip:127.0.0.1:5080' with client "
        "'sip:good@bars.invalid', stopping registration attempt",
    ),
    (
        "forbidden",
        rejected(REFUSED, 403, 30.0),
        {"forbidden_retry_interval": 30},
        f"403 Forbidden fatal response {FROM}, retrying in '30' seconds",
    ),
    (
        "fatal, again",
        rejected(REFUSED, 403, 20.0),
        {"fatal_retry_interval": 20},
        f"'403' fatal response {FROM}, retrying in '20' seconds",
    ),
    (
        "fatal, again",
        rejected(PERMANENT, 404, 20.0),
        {"fatal_retry_interval": 20, "forbidden_retry_interval": 30},
        f"'404' fatal response {FROM}, retrying in '20' seconds",
    ),
    (
        "fatal, again",
        rejected(TEMPORARY, None, 20.0),
        {"fatal_retry_interval": 20, "retry_interval": 0},
        f"'408' fatal response {FROM}, retrying in '20' seconds",
    ),
    ("fatal", rejected(REFUSED, 401, None), {}, f"Fatal response '401' {FROM}, stopping outbound registration"),
    ("fatal", rejected(PERMANENT, 404, None), {}, f"Fatal response '404' {FROM}, stopping outbound registration"),
    (
        "fatal",
        rejected(TEMPORARY, 503, None),
        {"retry_interval": 0},
        f"Fatal response '503' {FROM}, stopping outbound registration",
    ),
    (
        "fatal silence",
        rejected(TEMPORARY, None, None),
        {"retry_interval": 0},
        "Fatal registration attempt to 'sip:good@bars.invalid', stopping outbound registration",
    ),
    (
        "temporary",
        rejected(TEMPORARY, 503, 41.6),
        {"profile": SIPCORE},
        f"Temporal response '503' {FROM}, retrying in '42'",
    ),
]


@pytest.mark.parametrize(("key", "event", "options", "text"), CASES)
def test_failures(key: str, event: Event, options: dict[str, Any], text: str) -> None:
    assert TEXTS[key].level == "WARNING"
    assert told(event, **options) == [("WARNING", text)]


def test_a_challenge_that_could_not_be_answered() -> None:
    lines = told(rejected(REFUSED, 401, None), credentials=())
    assert [text for _, text in lines] == [
        "Failed to create authenticated REGISTER request to server 'sip:127.0.0.1:5080' from client "
        "'sip:good@bars.invalid'",
        f"Fatal response '401' {FROM}, stopping outbound registration",
    ]


def test_successes_are_told_at_debug_only() -> None:
    registered = Registered(name="good", expires=60, refreshed=False, assumed=False, refresh_at=NOW + 50)
    both = "server 'sip:127.0.0.1:5080' from client 'sip:good@bars.invalid'"
    with_client = "'sip:127.0.0.1:5080' with client 'sip:good@bars.invalid'"
    assert told(registered) == [
        ("DEBUG", f"Outbound registration to {with_client} successful"),
        ("DEBUG", f"Scheduling outbound registration to {both} in 50 seconds"),
    ]
    asked = Unregistered(name="good", cause=Cause(kind=OutcomeClass.REMOVED, detail="removed on request", code=200))
    assert told(asked) == [("DEBUG", f"Outbound unregistration to {with_client} successful")]
    # Asterisk does not notice that a binding lapses.
    assert told(Unregistered(name="good", cause=Cause(detail="the binding lapsed"))) == []
    lost = FlowLost(flow=1, remote=None, error=None, names=("good",))
    assert told(lost) == [("DEBUG", f"Outbound registration transport to {both} shutdown")]
    assert told(FlowLost(flow=1, remote=None, error=None, names=())) == []
    assert told(Listening(protocol="UDP", local=("127.0.0.1", 5060))) == []


def test_every_text_is_in_a_test() -> None:
    others = {"no credentials", "registered", "scheduled", "unregistered", "shutdown"}
    faults = {"no server", "no client", "server", "client", "transport"}
    assert {key for key, _, _, _ in CASES} | others | faults == set(TEXTS)


LIMIT = "URI or hostname length exceeds pjproject limit or is not a sip(s) uri"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("client_uri = sip:a@b", "No server URI specified on outbound registration 'x'"),
        ("server_uri = sip:b", "No client URI specified on outbound registration 'x'"),
        ("server_uri = tel:5\nclient_uri = sip:a@b", f"Server {LIMIT}: 'tel:5'"),
        ("server_uri = sip:b\nclient_uri = http://x", f"Client {LIMIT}: 'http://x'"),
        (f"server_uri = sip:b\nclient_uri = sip:a:{PASSWORD}@b", f"Client {LIMIT}: 'sip:a:***@b'"),
        ("server_uri = sip:b\nclient_uri = sip:a@b\ntransport = t", "Unable to retrieve PJSIP transport 't'"),
        ("server_uri = sip:b\nclient_uri = sip:a@b\nline = yes", None),
        ("server_uri = sip:b\nclient_uri = sip:a@b\nretry_interval = x", None),
    ],
)
def test_faults_of_a_file(options: str, text: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"[x]\ntype = registration\n{options}\n")
    assert refusal_log(caught.value) == (() if text is None else (LogLine("ERROR", text),))
    assert refusal_log(ValueError(text)) == ()


def test_a_line_looks_as_in_the_log_of_asterisk() -> None:
    line = LogLine("WARNING", f"Temporal response '503' {FROM}, retrying in '60'")
    assert log_line(line, when="2026-11-21 05:58:12.825", thread=19428) == (
        f"[2026-11-21 05:58:12.825] WARNING[19428] res_pjsip_outbound_registration.c: {line.text}"
    )


def test_what_a_live_asterisk_wrote() -> None:
    """The three texts of its log: a 403 that is final, a 503, a 403 with forbidden_retry_interval."""
    lines = (DATA / "log.txt").read_text("ascii").splitlines()
    events = {
        "stopped": rejected(REFUSED, 403, None),
        "busy": rejected(TEMPORARY, 503, 30.0),
        "rejected": rejected(REFUSED, 403, 30.0),
    }
    for line, (name, event) in zip(lines, events.items(), strict=True):
        (ours,) = asterisk_log(event, account(name), now=NOW)
        when, thread = line[1:24], line.partition("[")[2].partition("[")[2].partition("]")[0]
        assert log_line(ours, when=when, thread=int(thread)) == line
