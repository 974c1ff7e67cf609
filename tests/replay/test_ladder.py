"""The text ladder: what it says of a known run, and that nothing a run holds can break it or its reader's terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any
from unicodedata import category

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.commands import CloseFlow, OpenFlow, Record, Resolve, Transmit
from sipcore.config import Account
from sipcore.events import (
    FlowLost,
    InboundRequest,
    InboundResponse,
    ListenFailed,
    Listening,
    MessageDropped,
    Registered,
    StatusChanged,
)
from sipcore.replay import ReplayError, ladder, listing, mermaid, pcap, read
from sipcore.replay.steps import Step
from sipcore.replay.story import MAX_TEXT, Scene, Story, caption, selected
from sipcore.syntax.message import Request, Response, parse_message
from sipcore.values import Cause, Phase, Protocol, RecordKind, State, Status
from tests.replay.incident import LADDER, SAMPLE, drawn, incident, record
from tests.secrecy import PASSWORD, find

REMOTE = ("192.0.2.1", 5060)
LOCAL = ("192.0.2.10", 5070)

REGISTER = (
    b"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5070;branch=z9hG4bK1\r\nCall-ID: c\r\n"
    b"From: <sip:alice@example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\nCSeq: 7 REGISTER\r\n%b"
    b"Content-Length: 0\r\n\r\n"
)


def answer(status: str, *lines: str, cseq: str = "7 REGISTER") -> bytes:
    head = f"SIP/2.0 {status}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nTo: <sip:alice@example.com>\r\nCSeq: {cseq}\r\n"
    return (head + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode()


def scenes(*steps: Step) -> list[Scene]:
    numbered = [step._replace(number=number) for number, step in enumerate(steps, 1)]
    return list(Story().tell(numbered))


def texts(*steps: Step) -> list[str]:
    return [scene.text for scene in scenes(*steps)]


def call(method: str, /, *arguments: object, now: float = 0.0, **keywords: object) -> Step:
    return Step(0, now, method, arguments, keywords)


def out(output: object, now: float = 0.0) -> Step:
    return Step(0, now, type(output).__name__, output=output)  # type: ignore[arg-type]


OPENED = (
    out(OpenFlow(flow=1, protocol=Protocol.UDP, local=LOCAL, remote=None)),
    call("flow_opened", 1, LOCAL),
)

CONNECTED = (
    out(OpenFlow(flow=1, protocol=Protocol.TCP, local=None, remote=REMOTE)),
    call("flow_opened", 1, LOCAL, REMOTE),
)


def test_the_incident_is_drawn_as_before() -> None:
    """Written anew by `python -m tests.replay.incident`; then read the difference."""
    assert drawn(incident()) == LADDER.read_text(encoding="utf-8")


def test_the_incident_happens_again() -> None:
    """The stored recording is what the core does today, line by line; the header names versions."""
    assert list(record())[1:] == SAMPLE.read_text(encoding="ascii").splitlines(keepends=True)[1:]


# --- what a message says of itself ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (REGISTER % b"", "REGISTER 7"),
        (REGISTER % b"Contact: <sip:a@h>\r\nExpires: 60\r\n", "REGISTER 7, expires 60"),
        (REGISTER % b"Contact: <sip:a@h>;expires=5, <sip:b@h>;expires=0\r\nExpires: 60\r\n", "REGISTER 7, expires 5 0"),
        (REGISTER % b"Contact: *\r\nExpires: 0\r\n", "REGISTER 7, expires all, 0"),
        (REGISTER % b'Authorization: Digest response="canary"\r\n', "REGISTER 7, credentials"),
        (answer("401 Unauthorized", "WWW-Authenticate: Digest realm=x"), "401 Unauthorized (7 REGISTER)"),
        (
            answer("407 Proxy", 'Proxy-Authenticate: Digest realm="x", stale="TRUE"'),
            "407 Proxy (7 REGISTER), stale",
        ),
        (answer("423 Too Brief", "Min-Expires: 90"), "423 Too Brief (7 REGISTER), min 90"),
        (answer("503 Busy", "Retry-After: 7 (soon)"), "503 Busy (7 REGISTER), retry after 7"),
        (answer("200 OK", "Contact: <sip:a@h>"), "200 OK (7 REGISTER), expires ?"),
        (answer("200 OK", "Contact: " + ", ".join(["<sip:a@h>;expires=1"] * 5)), "expires 1 1 1 and 2 more"),
        (answer("200 OK", "Contact: <sip:a@h"), "200 OK (7 REGISTER)"),
        (b"\r\n\r\n", "CRLF keep-alive"),
        (b"", "an empty datagram"),
        (b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12), "STUN, 20 bytes"),
        (b"GET / HTTP/1.1\r\n\r\n", "no SIP: "),
    ],
)
def test_a_message_in_a_few_words(data: bytes, text: str) -> None:
    found, _ = caption(data)
    assert found.startswith(text) or text in found
    assert "canary" not in found


# --- what each step becomes ----------------------------------------------------------------------------------------


def test_a_message_that_is_sent_again_is_a_copy() -> None:
    sent = Transmit(flow=1, data=REGISTER % b"", remote=REMOTE)
    other = Transmit(flow=1, data=REGISTER % b"", remote=("192.0.2.2", 5060))
    got = call("receive", 1, answer("200 OK"), REMOTE)
    rows = scenes(*OPENED, out(sent), out(sent), out(other), got, got)
    assert [row.text for row in rows[2:]] == [
        "REGISTER 7",
        "REGISTER 7 (copy)",
        "REGISTER 7",
        "200 OK (7 REGISTER)",
        "200 OK (7 REGISTER) (copy)",
    ]
    assert [(row.source, row.target) for row in rows[2:]] == [
        ("agent", "UDP 192.0.2.1:5060"),
        ("agent", "UDP 192.0.2.1:5060"),
        ("agent", "UDP 192.0.2.2:5060"),
        ("UDP 192.0.2.1:5060", "agent"),
        ("UDP 192.0.2.1:5060", "agent"),
    ]


def test_keep_alives_are_no_copies() -> None:
    ping = out(Transmit(flow=1, data=b"\r\n\r\n", remote=REMOTE))
    assert texts(*OPENED, ping, ping)[2:] == ["CRLF keep-alive"] * 2


def test_of_deadlines_only_those_are_told_of_which_something_came() -> None:
    sent = out(Transmit(flow=1, data=REGISTER % b"", remote=REMOTE), now=2.0)
    early, due = call("handle_deadline", now=1.0), call("handle_deadline", now=2.0)
    assert texts(*OPENED, early, early, due, sent, early)[2:] == ["deadline", "REGISTER 7"]
    # What is left out of the diagram is no reason either.
    quiet = out(Registered(name="a", expires=1.0, refreshed=False, assumed=False, refresh_at=0.5))
    assert texts(*OPENED, due, quiet, early)[2:] == []


def test_a_stream_is_told_by_the_message() -> None:
    data = answer("200 OK", "Content-Length: 0")
    rows = scenes(
        *CONNECTED, call("receive", 1, data[:30], now=1.0), call("receive", 1, data[30:] + b"\r\n" + data, now=2.0)
    )
    assert [(row.number, row.text) for row in rows[2:]] == [
        (4, "200 OK (7 REGISTER)"),
        (4, "CRLF keep-alive (pong)"),
        (4, "200 OK (7 REGISTER) (copy)"),
    ]
    assert rows[-1].source == "TCP 192.0.2.1:5060"


def test_a_stream_that_dies_is_told_once() -> None:
    rubbish = call("receive", 1, b"rubbish\r\n\r\n")
    found = texts(*CONNECTED, rubbish, rubbish)[2:]
    assert len(found) == 1
    assert found[0].startswith("the stream cannot be read: ")


def test_bytes_for_no_flow_are_nothing() -> None:
    early = call("receive", 1, REGISTER % b"", REMOTE)
    assert texts(call("receive", 9, REGISTER % b"", REMOTE)) == []
    assert texts(OPENED[0], early)[1:] == []
    assert texts(*OPENED, call("flow_closed", 1), early)[3:] == []


STATUS = Status(
    name="alice",
    state=State.REGISTERED,
    phase=Phase.WAITING,
    cause=Cause(code=200, reason="OK", server="192.0.2.1:5060", transport=Protocol.UDP),
    server=None,
    transport=None,
    flow=1,
    attempt=0,
    since=0.0,
    expires_at=70.0,
    next_attempt_at=50.5,
    bindings=(),
)
INVITE = parse_message((REGISTER % b"").replace(b"REGISTER", b"INVITE"))
OK = parse_message(answer("200 OK"))
assert isinstance(INVITE, Request)
assert isinstance(OK, Response)


@pytest.mark.parametrize(
    ("step", "source", "target", "text"),
    [
        (call("add", Account("sip:alice@example.com", name="al")), "application", "agent", "add al"),
        (call("reload", [Account("sip:alice@example.com")]), "application", "agent", "reload, 1 registration"),
        (call("register", "al"), "application", "agent", "register al"),
        (call("unregister", "al", all=True), "application", "agent", "unregister al, all bindings"),
        (call("remove", name="al"), "application", "agent", "remove al"),
        (call("close"), "application", "agent", "close"),
        (call("close", unregister=False), "application", "agent", "close, leave the bindings"),
        (call("respond", None, 486), "application", "agent", "respond 486"),
        (call("send_raw", 1, b"x", REMOTE), "application", "agent", "send_raw"),
        (call("resolved", 3, [Record("1.2.3.4"), Record("::1")]), "agent", "agent", "answer 3: 1.2.3.4, ::1"),
        (call("resolved", 3, []), "agent", "agent", "answer 3: no address"),
        (call("resolve_failed", 3, "no such name"), "agent", "agent", "answer 3: no such name"),
        (call("network_changed"), "agent", "agent", "network changed"),
        (call("flow_accepted", 1, LOCAL, REMOTE), "agent", "agent", "flow 2 accepted from 192.0.2.1:5060"),
        (call("flow_closed", 1, "reset"), "agent", "agent", "flow 1 ended: reset"),
        (call("flow_closed", 1), "agent", "agent", "flow 1 ended: closed by the peer"),
        (call("transmit_failed", 1, REMOTE, "refused"), "agent", "agent", "not sent to 192.0.2.1:5060: refused"),
        (out(Resolve(query=3, name="h", kind=RecordKind.A)), "agent", "agent", "question 3: A of h"),
        (out(CloseFlow(flow=1)), "agent", "agent", "closes flow 1"),
        (
            out(StatusChanged(status=STATUS, previous=State.UNREGISTERED), now=10.0),
            "agent",
            "agent",
            "alice: Unregistered → Registered for 60 s, next at 50.500: 200 OK [UDP 192.0.2.1:5060]",
        ),
        (
            out(StatusChanged(status=STATUS, previous=State.REGISTERED), now=10.0),
            "agent",
            "agent",
            "alice: still Registered for 60 s, next at 50.500: 200 OK [UDP 192.0.2.1:5060]",
        ),
        (
            out(MessageDropped(cause="no reason", flow=1, source=REMOTE, count=3)),
            "agent",
            "agent",
            "dropped from 192.0.2.1:5060: no reason (3 times)",
        ),
        (
            out(FlowLost(flow=1, remote=REMOTE, error="reset", names=tuple("abcde"))),
            "agent",
            "agent",
            "flow 1 lost: reset; it carried a, b, c and 2 more",
        ),
        (
            out(InboundRequest(request=INVITE, data=b"", flow=1, source=REMOTE, registration="al")),
            "agent",
            "application",
            "INVITE for al",
        ),
        (
            out(InboundResponse(response=OK, data=b"", flow=1, source=REMOTE)),
            "agent",
            "application",
            "200 of no request",
        ),
        (out(Listening(protocol="TCP", local=LOCAL)), "agent", "agent", "listening on TCP 192.0.2.10:5070"),
        (
            out(ListenFailed(protocol="TCP", local=LOCAL, error="in use")),
            "agent",
            "agent",
            "cannot listen on TCP 192.0.2.10:5070: in use",
        ),
    ],
)
def test_what_a_step_becomes(step: Step, source: str, target: str, text: str) -> None:
    (row,) = scenes(*OPENED, step)[2:]
    assert (row.source, row.target, row.text) == (source, target, text)


# --- selections ----------------------------------------------------------------------------------------------------


def test_a_selection_keeps_numbers_times_and_what_was_learnt_before() -> None:
    recording = incident()
    every = list(Story().tell(recording.steps))
    some = list(selected(Story().tell(recording.steps), first=46, last=51))
    assert some == [row for row in every if 46 <= row.number <= 51]
    assert "(copy)" in " ".join(row.text for row in some)


def test_one_registration_and_what_concerns_all() -> None:
    recording = incident()
    rows = list(selected(Story().tell(recording.steps), name="bob"))
    told = "\n".join(f"{row.source} {row.target} {row.text}" for row in rows)
    assert "alice" not in told
    assert "423" not in told
    assert "add bob" in told
    assert "6881 REGISTER" in told
    assert "opens flow 1" in told
    assert [row for row in rows if row.text == "deadline"]


# --- the drawing ---------------------------------------------------------------------------------------------------


def test_nothing_is_drawn_as_that() -> None:
    assert list(ladder.draw([])) == ["nothing happened"]


def test_a_note_stands_off_the_line_of_the_agent_where_nobody_else_is() -> None:
    rows = [Scene(1, 0.0, "agent", "agent", "deadline", None)]
    assert list(ladder.draw(rows))[1].endswith("| deadline")


def test_remotes_beyond_the_columns_share_one() -> None:
    rows = [Scene(1, 0.0, "agent", f"UDP 192.0.2.{number}:5060", "hello", None) for number in range(9)]
    drawn = list(ladder.draw(rows))
    assert drawn[0].split()[-1] == "others"
    assert "hello" in drawn[4]
    assert "192.0.2.3" not in drawn[4]
    assert all(f"-- UDP 192.0.2.{number}:5060: hello --" in drawn[number + 1] for number in range(4, 9))
    assert list(mermaid.draw(rows))[1:4] == [
        "    actor p0 as application",
        "    participant p1 as agent",
        "    participant p2 as UDP 192.0.2.0:5060",
    ]


def test_wide_characters_move_no_column() -> None:
    words = ("register", "régister", "登録 登録", "e\u0301")
    rows = [Scene(1, 0.0, "application", "agent", text, None) for text in words]
    drawn = list(ladder.draw(rows))
    plain = drawn[1].index(">|")
    for line, wide in zip(drawn[2:], (0, 4, -1), strict=True):
        assert line.index(">|") == plain - wide


def test_long_texts_are_cut_and_say_so() -> None:
    rows = [
        Scene(1, 0.0, "agent", "UDP 192.0.2.1:5060", "x" * 150, None),
        Scene(1, 0.0, "agent", "agent", "y" * 150, None),
    ]
    drawn = list(ladder.draw(rows))
    assert "x… ->|" in drawn[1]
    assert drawn[2].endswith("y…")
    assert all(len(line) <= ladder.MAX_WIDTH for line in drawn)


@pytest.mark.parametrize(
    ("wall", "shown"),
    [
        (0.0, "1970-01-01 UTC"),
        (951_782_400.0, "2000-02-29 UTC"),
        (1_767_268_800.0, "2026-01-01 UTC"),
        (4_107_542_399.0, "2100-02-28 UTC"),
        (4_107_542_400.0, "2100-03-01 UTC"),
        (1_735_689_599.0, "2024-12-31 UTC"),
    ],
)
def test_the_day_stands_above(wall: float, shown: str) -> None:
    rows = [Scene(1, 0.0, "agent", "agent", "x", None)]
    assert shown in list(ladder.draw(rows, wall=wall))[1]


def test_midnight_is_told() -> None:
    rows = [Scene(1, now, "agent", "agent", "x", None) for now in (86398.0, 86399.9995, 86400.0, 86400.5)]
    drawn = list(ladder.draw(rows, wall=0.0))
    assert [line.split()[0] for line in drawn[1:]] == [
        "1970-01-01",
        "23:59:58.000",
        "23:59:59.999",
        "1970-01-02",
        "00:00:00.000",
        "00:00:00.500",
    ]


# --- hostile runs --------------------------------------------------------------------------------------------------

words = st.text(max_size=40) | st.sampled_from(
    ["\x1b[2J", "\x9b31m", "\r\n|", "\u202egnp", "\x07", 'a;b#c<d>&"', "登" * 50]
)
printable = words.filter(lambda text: bool(text) and text.isprintable())
hosts = st.tuples(words, st.integers(-5, 99999)) | st.just(REMOTE)
moments = st.floats() | st.floats(0, 100)
data = st.binary(max_size=40)


def hostile(text: str) -> bytes:
    """A well-formed response with these words wherever words may stand."""
    return answer(f"200 {text}", f"Contact: <sip:{text}>;expires={text}", f"Retry-After: {text}")


def named(name: str) -> Account:
    return Account("sip:a@example.com", name=name)


undated = st.one_of(
    st.builds(lambda name: call("register", name), words),
    st.builds(lambda name: call("add", named(name)), printable),
    st.builds(lambda data, source: call("receive", 1, data, source), data, hosts),
    st.builds(lambda text, source: call("receive", 1, hostile(text), source), printable, hosts),
    st.builds(lambda data, remote: out(Transmit(flow=1, data=data, remote=remote)), data, hosts),
    st.builds(lambda text: out(MessageDropped(cause=text, flow=1, source=None)), words),
    st.builds(lambda text: out(FlowLost(flow=1, remote=None, error=text, names=(text,))), words),
    st.builds(lambda text: call("flow_closed", 1, text), words),
    st.builds(lambda text: call("resolve_failed", 1, text), words),
    st.builds(lambda text: call(text, text, text), words),
    st.builds(lambda local: call("flow_opened", 1, local), hosts),
    st.just(call("handle_deadline")),
)
steps = st.builds(lambda step, now: step._replace(now=now), undated, moments)


def is_safe(text: str) -> bool:
    return all(category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in text)


@settings(max_examples=150)
@given(
    reliable=st.booleans(),
    run=st.lists(steps, max_size=8),
    wall=st.none() | st.floats(),
)
def test_any_run_can_be_drawn_and_printed(reliable: bool, run: list[Step], wall: float | None) -> None:
    """Whatever a run holds: no exception, no control character, no line beyond its bound, one line for each scene."""
    whole = [*(CONNECTED if reliable else OPENED), *run]
    numbered = [step._replace(number=number) for number, step in enumerate(whole, 1)]
    rows = list(Story().tell(numbered))
    drawn = list(ladder.draw(rows, wall=wall))
    assert all(len(row.text) <= MAX_TEXT for row in rows)
    assert len(drawn) >= len(rows)
    assert all(is_safe(line) and len(line) <= ladder.MAX_WIDTH for line in drawn)
    chart = list(mermaid.draw(rows))
    assert all(line.isascii() and line.isprintable() and len(line) <= 60 + 10 * MAX_TEXT for line in chart)
    listed = [line for _, line in listing.lines(numbered)]
    assert len(listed) == len(numbered)
    assert all(is_safe(line) and len(line) <= listing.MAX_LINE for line in listed)


STRANGE = ("", "x\x1b[2J" * 30, "\u202e", "::", "1.2.3.4", "\udc80", "登" * 200, "REGISTER")
NUMBERS = (0, -1, 3, 99999, 2**40, 0.5, -1e300, 1e308)


def damaged(value: Any, dice: Random) -> Any:
    """The same JSON with one leaf changed, to something of its own kind."""
    if isinstance(value, dict | list) and value:
        copied = value.copy()
        key = dice.choice(list(value) if isinstance(value, dict) else range(len(value)))
        copied[key] = damaged(value[key], dice)
        return copied
    return dice.choice(STRANGE) if isinstance(value, str) else dice.choice(NUMBERS)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_recording_is_refused_or_drawn(seed: int) -> None:
    """A file from a stranger: `ReplayError`, or a diagram that is safe to print; nothing else."""
    dice = Random(seed)
    document = SAMPLE.read_text(encoding="ascii").splitlines(keepends=True)
    for _ in range(dice.choice((1, 2, 5))):
        number = dice.randrange(12, len(document))
        document[number] = f"{json.dumps(damaged(json.loads(document[number]), dice))}\n"
    try:
        recording = read(document)
        told = drawn(recording).splitlines()
    except ReplayError:
        return
    opening = [recording.segments[0].restore(random=dice) for _ in range(2)]
    told += [line for _, line in listing.lines(recording.steps, agent=opening[0])]
    assert all(is_safe(line) and len(line) <= listing.MAX_LINE for line in told)
    assert b"".join(pcap.write(recording.steps, agent=opening[1]))


@pytest.mark.parametrize(
    "render",
    [
        lambda run: ladder.draw(Story().tell(run)),
        lambda run: mermaid.draw(Story().tell(run)),
        lambda run: [line for _, line in listing.lines(run)],
    ],
    ids=["ladder", "mermaid", "list"],
)
def test_no_secret_is_drawn(render: Callable[[list[Step]], list[str]]) -> None:
    """Not the passwords of the run, nor one in a URI, nor a digest that a recording failed to mask."""
    credentials = b'Authorization: Digest username="alice", response="canary-response"\r\n'
    evil = REGISTER % (credentials + b"Contact: <sip:a:canary-uri@h>\r\n")
    run = [
        *incident().steps,
        *OPENED,
        call("receive", 1, evil, REMOTE),
        out(Transmit(flow=1, data=evil, remote=REMOTE)),
        out(MessageDropped(cause="odd <sip:a:canary-uri@h>", flow=1, source=REMOTE)),
        call("add", Account("sip:alice@example.com", password=PASSWORD)),
    ]
    told = "\n".join(render(run))
    assert "canary" not in told
    assert find(told) is None
