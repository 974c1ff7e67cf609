"""The registrar model keeps RFC 3261 section 10.3 and the rules of server transactions, by hand-written requests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipcore.testing import Datagram
from sipcore.testing.sim import registrar
from sipcore.testing.sim.registrar import Rules, SimRegistrar, Store
from sipcore.testing.sim.registrar_store import MAX_CALLS, parse_contacts, parse_uri
from tests.secrecy import PASSWORD
from tests.testing.sim_registrar_client import CLIENT, CONTACT, SERVER, Caller


def open_caller(**rules: object) -> Caller:
    return Caller(Rules(auth=False, **rules))  # type: ignore[arg-type]


def test_the_model_shares_nothing_with_the_core() -> None:
    """A fault of the core must not be hidden by its mirror image in the model."""
    allowed = {
        "sipcore.values": {"Address"},
        "sipcore.testing.world": {"Connection", "ConnectionUser", "World"},
        "sipcore.testing.wire": {"Datagram"},
    }
    modules = sorted(Path(registrar.__file__).parent.glob("registrar*.py"))
    assert len(modules) > 5
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("sipcore") for alias in node.names), path
            elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("sipcore"):
                if str(node.module).startswith("sipcore.testing.sim.registrar"):
                    continue
                assert {alias.name for alias in node.names} <= allowed[str(node.module)], path


# --- bindings -------------------------------------------------------------------------------------------------------


def test_a_contact_is_bound_listed_and_lapses() -> None:
    caller = open_caller()
    answer = caller.ask(expires=100)
    assert answer.status == 200
    assert answer.all("contact") == [f"{CONTACT};expires=100"]
    (held,) = caller.registrar.bindings("alice")
    assert held == ("sip:alice@192.0.2.10:5062", 100.0, "call", 1, True)
    caller.later(99.5)
    assert caller.contacts == ["sip:alice@192.0.2.10:5062"]
    caller.later(0.5)
    assert caller.contacts == []
    assert caller.told[0].asked == caller.told[0].granted == 100
    assert caller.told[0].contacts == ("sip:alice@192.0.2.10:5062",)


def test_the_parameter_goes_before_the_header_and_each_contact_has_its_own() -> None:
    caller = open_caller()
    answer = caller.ask(f"{CONTACT};expires=200;q=0.5, <sip:alice@192.0.2.11>", expires=300)
    assert answer.all("contact") == [f"{CONTACT};expires=200;q=0.5", "<sip:alice@192.0.2.11>;expires=300"]
    assert caller.told[0].asked_each == caller.told[0].granted_each == (200, 300)


def test_nothing_asked_is_the_default_and_too_much_is_the_maximum() -> None:
    caller = open_caller(default_expires=500, max_expires=1000)
    assert caller.ask(expires=None).all("contact") == [f"{CONTACT};expires=500"]
    assert caller.told[0].asked is None
    assert caller.ask(expires=1001).all("contact") == [f"{CONTACT};expires=1000"]


def test_too_little_is_refused_and_changes_nothing() -> None:
    caller = open_caller(min_expires=600)
    answer = caller.ask(f"{CONTACT};expires=700, <sip:alice@192.0.2.11>;expires=60")
    assert (answer.status, answer.one("min-expires")) == (423, "600")
    assert caller.contacts == []
    assert caller.told[0].granted is None
    caller.rules.min_expires_header = False
    assert caller.ask(expires=60).all("min-expires") == []


def test_zero_removes_one_and_adding_and_removing_is_one_deed() -> None:
    caller = open_caller()
    caller.ask("<sip:alice@192.0.2.10>, <sip:alice@192.0.2.11>")
    assert caller.ask("<sip:alice@192.0.2.12>, <sip:alice@192.0.2.10>;expires=0").status == 200
    assert caller.contacts == ["sip:alice@192.0.2.11", "sip:alice@192.0.2.12"]
    assert caller.told[-1].granted_each == (3600, 0)
    assert caller.told[-1].granted == 3600
    # One of the two is late: neither happens.
    assert caller.ask("<sip:alice@192.0.2.13>, <sip:alice@192.0.2.12>;expires=0", cseq=2).status == 500
    assert caller.contacts == ["sip:alice@192.0.2.11", "sip:alice@192.0.2.12"]
    assert caller.told[-1].granted is None


@pytest.mark.parametrize(
    ("contact", "expires", "status", "left"),
    [
        ("*", 0, 200, 0),
        ("*", 1, 400, 2),
        ("*", None, 400, 2),
        (f"*, {CONTACT}", 0, 400, 2),
    ],
)
def test_star_removes_all_with_expires_0_only(contact: str, expires: int | None, status: int, left: int) -> None:
    caller = open_caller()
    caller.ask("<sip:alice@192.0.2.10>, <sip:alice@192.0.2.11>")
    assert caller.ask(contact, expires).status == status
    assert len(caller.contacts) == left


def test_two_star_lines_are_refused() -> None:
    caller = open_caller()
    caller.ask()
    assert caller.ask("*", 0, lines=[f"Contact: {CONTACT}"]).status == 400
    assert caller.ask("*", 0, lines=["Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKabove"]).status == 200


def test_star_that_is_late_removes_nothing() -> None:
    caller = open_caller()
    caller.ask(cseq=5)
    assert caller.ask("*", 0, cseq=5, branch="z9hG4bKother").status == 500
    assert len(caller.contacts) == 1
    assert caller.ask("*", 0, cseq=1, call="another").status == 200


def test_within_one_call_id_the_higher_cseq_wins() -> None:
    caller = open_caller()
    assert caller.ask(cseq=7).status == 200
    assert caller.ask(cseq=6).status == 500
    assert caller.told[-1].out_of_order
    assert caller.ask(cseq=7, branch="z9hG4bKnew").status == 500
    assert caller.ask(cseq=8).status == 200
    assert not caller.told[-1].out_of_order
    assert caller.ask(cseq=1, call="after a restart").status == 200


def test_without_a_contact_the_bindings_are_listed() -> None:
    caller = open_caller()
    caller.ask(expires=100)
    assert caller.ask(None, None).all("contact") == [f"{CONTACT};expires=100"]
    assert caller.told[-1].granted is None


def test_a_contact_that_cannot_be_read_is_400() -> None:
    caller = open_caller()
    for contact in ("", "<sip:alice@192.0.2.10", "tel:1", '"a <sip:a@b>', "<sip:a@b> x", "sip:@b"):
        assert caller.ask(contact).status == 400
    assert caller.contacts == []


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("sip:alice@example.com", "SIP:alice@EXAMPLE.com", True),
        ("sip:alice@example.com", "sip:Alice@example.com", False),
        ("sip:%61lice@example.com", "sip:alice@example.com", True),
        ("sip:alice@example.com", "sips:alice@example.com", False),
        ("sip:alice@example.com", "sip:alice@example.com:5060", False),
        ("sip:alice@example.com;transport=tcp", "sip:alice@example.com;Transport=TCP", True),
        ("sip:alice@example.com;transport=udp", "sip:alice@example.com", False),
        ("sip:alice@example.com;a=1;b=2", "sip:alice@example.com;b=2;a=1", True),
        ("sip:alice@example.com;a=1", "sip:alice@example.com;b=2", True),
        ("sip:alice@example.com;a=1", "sip:alice@example.com;a=2", False),
        ("sip:alice@example.com?Subject=x", "sip:alice@example.com", False),
        ("sip:alice@[2001:DB8::1]:5060;ob", "sip:alice@[2001:db8::1]:5060;ob", True),
        ("sip:alice@[2001:db8::1]:5060", "sip:alice@[2001:db8::1]:5061", False),
        ("sip:alice@example.com;lr", "sip:alice@example.com;lr=", False),
    ],
)
def test_uris_are_compared_as_the_standard_does(first: str, second: str, same: bool) -> None:
    one, other = parse_uri(first), parse_uri(second)
    assert one is not None
    assert other is not None
    assert one.same(other) is other.same(one) is same
    caller = open_caller()
    caller.ask(f"<{first}>")
    caller.ask(f"<{second}>")
    assert len(caller.contacts) == (1 if same else 2)


def test_the_same_text_goes_before_an_equal_uri() -> None:
    """Equality is not transitive: `line=1` and `line=2` differ, and each equals the URI without a line."""
    caller = open_caller()
    caller.ask("<sip:a@h;line=1>, <sip:a@h;line=2>, <sip:a@h>")
    assert caller.contacts == ["sip:a@h", "sip:a@h;line=2"]
    caller = open_caller()
    caller.registrar.plant("alice", "<sip:a@h;line=1>, <sip:a@h>", 100)
    caller.ask("<sip:a@h>", 0)
    assert caller.contacts == ["sip:a@h;line=1"]


def test_a_refresh_in_other_words_replaces_the_text() -> None:
    caller = open_caller()
    caller.ask('"Alice, at home" <sip:alice@H;x=1>;+sip.instance="<urn:a,b;c>";expires=70', expires=None)
    answer = caller.ask("sip:alice@h;expires=80")
    assert answer.all("contact") == ["<sip:alice@h>;expires=80"]


def test_two_registrars_with_one_store_know_the_same_bindings() -> None:
    store = Store()
    caller = Caller(Rules(auth=False), store=store)
    other = SimRegistrar(caller.world, ("192.0.2.2", 5060), {}, seed=2, rules=Rules(auth=False), store=store)
    caller.ask()
    assert other.bindings("alice") == caller.registrar.bindings("alice") != []
    other.restart(keep_bindings=False)
    assert caller.contacts == []


def test_what_another_client_bound_is_not_our_own() -> None:
    caller = open_caller()
    caller.registrar.plant("alice", "<sip:alice@198.51.100.1>;q=0.1", 500)
    answer = caller.ask()
    assert answer.all("contact")[0] == "<sip:alice@198.51.100.1>;expires=500;q=0.1"
    assert [held.own for held in caller.registrar.bindings("alice")] == [False, True]
    with pytest.raises(ValueError, match="not a contact"):
        caller.registrar.plant("alice", "*", 1)


# --- transactions ---------------------------------------------------------------------------------------------------


def test_a_copy_gets_the_stored_answer_for_32_seconds() -> None:
    caller = open_caller()
    data = caller.request()
    (first,) = caller.send(data)
    (second,) = caller.later(31.9) + caller.send(data)
    assert first.lines == second.lines
    assert (caller.registrar.counters.requests, caller.registrar.counters.copies) == (1, 1)
    assert len(caller.told) == 1
    caller.later(0.1)
    (third,) = caller.send(data)
    assert third.status == 500
    assert caller.told[-1].late
    assert caller.registrar.faults == []


def test_call_ids_are_forgotten_when_there_are_too_many() -> None:
    store = Store()
    for number in range(MAX_CALLS + 5):
        store.counted(str(number), 1, "")
    assert len(store._calls) == MAX_CALLS
    assert store.counted("0", 0, "") == (False, False)


def test_memory_is_bounded_by_time() -> None:
    caller = Caller()
    for _ in range(50):
        caller.ask()
        caller.later(400)
    assert caller.registrar.remembered < 30
    assert len(caller.registrar._order) < 5


def test_a_late_copy_is_remembered_anew() -> None:
    caller = open_caller()
    data = caller.request()
    caller.send(data)
    caller.later(100)
    caller.send(data)
    caller.later(210)
    caller.ask()
    caller.send(data)
    assert [item.late for item in caller.told] == [False, True, False, True]
    caller.later(400)
    caller.ask()
    caller.send(data)
    assert not caller.told[-1].late


def test_a_copy_of_a_request_that_is_being_served_gets_nothing() -> None:
    caller = open_caller(delay=40.0)
    data = caller.request()
    assert caller.send(data) == []
    assert caller.later(39.0) + caller.send(data) == []
    assert [answer.status for answer in caller.later(1.0)] == [200]
    assert [answer.status for answer in caller.send(data)] == [200]


def test_the_answer_copies_what_it_must() -> None:
    caller = open_caller()
    answer = caller.ask(lines=["Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKbelow, SIP/2.0/UDP a;branch=z9hG4bKx"])
    assert answer.all("via") == [
        "SIP/2.0/UDP 192.0.2.10:5062;rport=5062;branch=z9hG4bK1xcall;received=192.0.2.10",
        "SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKbelow, SIP/2.0/UDP a;branch=z9hG4bKx",
    ]
    assert answer.one("from") == "<sip:alice@example.com>;tag=a"
    assert answer.one("to").startswith("<sip:alice@example.com>;tag=")
    assert answer.one("call-id") == "call"
    assert answer.one("cseq") == "1 REGISTER"
    assert answer.one("content-length") == "0"
    assert caller.ask().one("to") != answer.one("to")


def test_answers_go_where_via_says() -> None:
    """RFC 3581 section 4, and RFC 3261 section 18.2.2 without rport."""
    caller = open_caller()
    elsewhere = ("192.0.2.10", 9999)
    got: list[Datagram] = []

    class Node:
        def on_datagram(self, datagram: Datagram) -> None:
            got.append(datagram)

    caller.world.nodes[elsewhere] = Node()
    caller.world.send(caller.request(), elsewhere, SERVER)
    assert caller.later(0) == []
    assert b";rport=9999;" in got[0].data
    without = {"Via": "SIP/2.0/UDP home.example.com:5062;branch=z9hG4bKq"}
    data = caller.request(headers=without)
    for _ in range(2):
        caller.world.send(data, elsewhere, SERVER)
        (answer,) = caller.later(0)
        assert answer.one("via") == "SIP/2.0/UDP home.example.com:5062;branch=z9hG4bKq;received=192.0.2.10"


@pytest.mark.parametrize(
    ("method", "status"), [("OPTIONS", 200), ("INVITE", 405), ("PUBLISH", 405), ("SUBSCRIBE", 405)]
)
def test_other_methods(method: str, status: int) -> None:
    caller = open_caller()
    assert caller.ask(method=method).status == status
    assert caller.contacts == []


def test_an_ack_is_not_answered() -> None:
    caller = open_caller()
    assert caller.send(caller.request(method="ACK")) == []


def test_an_unknown_extension_is_420() -> None:
    caller = open_caller()
    answer = caller.ask(lines=["Require: path, gruu, x"])
    assert (answer.status, answer.one("unsupported")) == (420, "gruu, x")
    assert caller.ask(lines=["Require: path"]).status == 200


def test_nobody_is_404_and_somebody_else_is_403() -> None:
    caller = Caller()
    assert caller.register(user="alice").status == 200
    assert caller.register(user="carol", headers={"From": "<sip:a@b>;tag=a"}).status == 401
    challenge = caller.ask().one("www-authenticate")
    assert caller.ask(user="bob", authorization=caller.credentials(challenge)).status == 403
    challenge = caller.ask().one("www-authenticate")
    assert caller.ask(user="carol", authorization=caller.credentials(challenge)).status == 404


# --- connections ----------------------------------------------------------------------------------------------------


def test_messages_on_a_stream_are_cut_by_their_length() -> None:
    caller = open_caller()
    caller.connect()
    data = caller.request(body="12345\r\n\r\n") + b"\r\n" + caller.request()
    for index in range(len(data) - 1):
        assert caller.stream is not None
        caller.stream.send(data[index : index + 1])
    assert [answer.status for answer in caller.later(0)] == [200]
    assert [answer.status for answer in caller.send(data[-1:])] == [200]
    assert caller.registrar.faults == []


def test_a_ping_is_answered_with_a_pong() -> None:
    caller = open_caller()
    caller.connect()
    caller.send(b"\r\n")
    assert caller.pongs == 0
    caller.send(b"\r\n")
    assert caller.pongs == 1
    assert caller.send(b"\r\n\r\n" + caller.request())[0].status == 200
    assert caller.pongs == caller.registrar.counters.keepalives == 2


def test_noise_on_a_stream_ends_the_connection() -> None:
    for noise in (b"x" * 70000, b"nonsense\r\n\r\n", b"REGISTER sip:a SIP/2.0\r\nContent-Length: x\r\n\r\n"):
        caller = open_caller()
        caller.connect()
        assert caller.send(noise) == []
        assert len(caller.ended) == 1


def test_datagrams_that_keep_a_way_open_are_not_answered() -> None:
    caller = open_caller()
    for data in (b"\r\n\r\n", b"", b"\0"):
        assert caller.send(data) == []
    assert caller.registrar.counters.keepalives == 3
    assert caller.registrar.faults == []


# --- the process ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [True, False])
def test_a_restart_forgets_nonces_connections_and_maybe_bindings(keep: bool) -> None:
    caller = Caller()
    caller.connect()
    caller.register()
    caller.registrar.restart(keep_bindings=keep)
    caller.later(0)
    assert caller.ended == ["connection reset"]
    assert len(caller.contacts) == keep
    caller.stream = None
    nonce = next(iter(caller.nonces))
    answer = caller.ask(authorization=caller.credentials(f'Digest realm="example.com", nonce="{nonce}", qop="auth"'))
    assert caller.told[-1].verdict == "unknown nonce"
    assert "stale=true" in answer.one("www-authenticate")


def test_an_answer_that_waits_is_lost_in_a_restart() -> None:
    caller = open_caller(delay=5.0)
    caller.send(caller.request())
    caller.registrar.restart(keep_bindings=True)
    assert caller.later(10) == []
    assert len(caller.contacts) == 1


@pytest.mark.parametrize(
    ("down", "refused"),
    [("mute", []), ("refuses", ["connection refused"]), ("unreachable", ["no route to host"])],
)
def test_down_and_up_again(down: str, refused: list[str]) -> None:
    caller = open_caller(down=down)
    caller.ask()
    caller.connect()
    caller.registrar.stop()
    caller.registrar.stop()
    caller.later(0)
    assert caller.ended == ["connection reset"]
    caller.stream = None
    assert caller.send(caller.request()) == []
    caller.connect()
    assert caller.stream is None
    assert caller.refused == refused
    caller.registrar.start()
    caller.registrar.start()
    assert caller.world.unreachable == {}
    assert caller.ask().status == 200
    caller.connect()
    assert caller.stream is not None


# --- noise ----------------------------------------------------------------------------------------------------------

GOOD = Caller(Rules(auth=False)).request()


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 30), st.binary(max_size=12)), max_size=4))
@example([(0, len(GOOD), b"\r\n\r\n")])
def test_no_bytes_raise(damage: list[tuple[int, int, bytes]]) -> None:
    """Law: whatever arrives, on either transport and with any rules about its form, nothing is raised, and each
    datagram gets at most one answer."""
    data = GOOD
    for place, size, new in damage:
        data = data[:place] + new + data[place + size :]
    caller = Caller(Rules(auth=False))
    assert len(caller.send(data)) <= 1
    caller = Caller(Rules(compact=True, folded=True, odd_case=True, outbound=True))
    caller.connect()
    caller.send(data.replace(b"UDP", b"TCP"))


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_contacts_are_read_or_refused(text: str) -> None:
    """Law: any text is contacts, `*` or nothing."""
    parsed = parse_contacts(text.encode("utf-8", "surrogatepass").decode("latin-1"))
    assert parsed is None or parsed == "*" or all(contact.uri.text for contact in parsed)


def test_equal_seeds_give_equal_bytes() -> None:
    def run(seed: int) -> list[tuple[str, ...]]:
        caller = Caller(Rules(overload=0.3, delay_spread=1.0, damage=0.2, damages=("no To tag",), grant_spread=0.5))
        caller.registrar = SimRegistrar(
            caller.world, SERVER, {"alice": PASSWORD}, seed=seed, rules=caller.rules
        )
        lines = []
        for _ in range(10):
            caller.world.send(caller.request(), CLIENT, SERVER)
            lines += [answer.lines for answer in caller.later(2)]
        return lines

    assert run(1) == run(1) != run(2)
