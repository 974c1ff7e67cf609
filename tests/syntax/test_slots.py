"""What each slot takes, what it refuses, and in which words."""

# ruff: noqa: E501 -- each slot's row stays a row

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import ConfigError, LocalProtocolError
from sipcore.syntax import slots
from sipcore.syntax.names import COMPACT_FORMS
from sipcore.syntax.slots import MAX_TEXT, MAX_VALUE, Slot, SlotError
from sipcore.values import Secret

LINE_ENDS = ["a\r\nEvil: 1", "a\rb", "a\nb", "a\0b"]
CONTROLS = [*LINE_ENDS, "a\tb", "a\x7f", "a\x85b", "a\u2028b", "a\u2029b", "a\x1b[2J", "a\ud800", "a\udc80"]

# Slot, what it takes, what it refuses.
TABLE: list[tuple[Slot, list[Any], list[Any]]] = [
    (slots.token, ["a", "REGISTER", "-.!%*_+`'~", "x" * MAX_TEXT], ["", "a b", "a:", "é", "x" * (MAX_TEXT + 1), *CONTROLS]),
    (slots.line_token, ["f00d"], ["", "a;b", "a>b", *CONTROLS]),
    (slots.methods, [(), ("INVITE", "BYE")], ["INVITE", ["INVITE"], ("A B",), (5,), ("x" * 1000,) * 16]),
    (slots.option_tags, [(), ("path",)], [("path,outbound",), ("",)]),
    (slots.call_id, ["a", "a@b", "x" * 200, "a()<>:\\/\"[]?{}"], ["", "@", "a@", "@b", "a@b@c", "a b", "a;b", "a,b", "é", *CONTROLS]),
    (slots.label, ["", "Büro 1", "\u202e"], [*CONTROLS, "x" * (MAX_TEXT + 1)]),
    (slots.header_name, ["X-A", "v"], ["", "a:", "a b", *CONTROLS]),
    (
        slots.header_value,
        ["", "a", 'a, "b"; <c>', "\u3000ü", "x" * MAX_VALUE],
        [" a", "a ", " ", "x" * (MAX_VALUE + 1), *CONTROLS],
    ),
    (slots.reason_phrase, ["", "OK", " a ", "ü"], CONTROLS),
    (slots.status_code, [100, 699], [99, 700, 200.0, True, "200", None]),
    (slots.quoted_text, ["", 'a"b\\c', "ü"], CONTROLS),
    (slots.host, ["h", "example.com", "192.0.2.1", "[::1]", "a_b"], ["", "::1", "a b", "1.2.3", "h:5060", *CONTROLS]),
    (slots.ip_address, ["192.0.2.1", "::1", "fe80::1%eth0"], ["", "h", "[::1]", "fe80::1%", "fe80::1%a b", *CONTROLS]),
    (slots.port, [0, 65535], [-1, 65536, 5060.0, True, "5060"]),
    (slots.user, ["alice", "a%20b;c=1", "+49(30)"], ["", "a@b", "a:b", "a%4", "a#b", "é", "a>b", "a\\b", *CONTROLS]),
    (
        slots.address_of_record,
        ["sip:a@h", "SIP:a@h:5070;user=phone", "sip:a@h;transport=ws"],
        ["sip:h", "sips:a@h", "sip:a@h;transport=TLS", "sip:a:b@h", "tel:1", "a@h", "sip:a@h?x=y", "sip:a@h>", *CONTROLS],
    ),
    (slots.registrar, ["sip:h", "sip:a@h;transport=TCP"], ["sip:h;transport=tls", "sip:h;transport=ws", "sip:h;x=", "sip:h;%41"]),
    (
        slots.route,
        ["<sip:h;lr>", '"A, B" <sip:h;lr>;x="a, <b>";y', "A B <sip:h>", "sip:h;x=1"],
        ["<sip:h>, <sip:i>", "<sip:h>;x=a, <sip:i>", "<sip:h>;x=<", "<sip:h>;x[", "<sip:h", "<sips:h>", '"\r\n" <sip:h>', *CONTROLS],
    ),
    (
        slots.contact,
        ["<sip:a@h:1>", '<sip:a@h;ob>;+sip.instance="<urn:uuid:1>, \\"x\\"";reg-id=1'],
        [
            "*", "sip:a@h", "<sip:a@h>;expires=5", "<sip:a@h?Route=x>", "<sip:a:b@h>", "<tel:1>", "<sip:a@h>, <sip:b@h>", "<sip:a#@h>",
            "<sip:a@h>;x=a, <sip:b@h>", "<sip:a@h;x=>", "<sip:a@h;x[=1>;y=<", "<sip:a@h>;x=<", '"A" <sip:a@h>', "<sip:a@h>\r\nEvil: 1",
            "<sip:a@h>;x=" + "y" * MAX_VALUE,
        ],
    ),
    (
        slots.contact_uri_parameters,
        ["", ";ob", ";x=[2001:db8::1]:5060;y"],
        [
            "x", ";", ";;x", ";x=", ";x=1;X=2", ";x?y=z", "?y=z", "@h", ":1;x", ";x>", ";x@h", ";x, <sip:evil>", ";transport=udp",
            ";line=1", ";LR", ";method=A", ";ttl=1", ";%6cr", ";x=%4", *CONTROLS,
        ],
    ),
    (
        slots.contact_header_parameters,
        ["", ";q=0.5", ';x="a, <b>"', ";x=[::1]", ";audio"],
        ["q=1", ";", ";x=", ";x=1;X=2", ";x=a, <sip:evil>", ";x[=1", ";expires=5", ';x="', ";x=a b", ";x=<", *CONTROLS],
    ),
    (slots.register_header, [("X-A", "1"), ("Subject", "")], [("Via", "x"), ("m", "x"), ("A B", "x"), ("X", "a\r\nb"), ("X",), "X: a"]),
    (slots.response_header, [("Contact", "<sip:h>"), ("c", "text/plain")], [("I", "x"), ("cseq", "x"), ("", "x"), ("X", " a"), ("X", 5)]),
    (slots.each(slots.token), [(), ("a", "b")], ["ab", ["a"], ("a", ""), ("a b",)]),
]  # fmt: skip

SECRET = "kanarie"


def cases(*, good: bool) -> list[Any]:
    return [
        pytest.param(slot, value, id=f"{getattr(slot, '__name__', 'each')}-{str(value)[:40]!a}-{number}")
        for slot, fitting, others in TABLE
        for number, value in enumerate(fitting if good else others)
    ]


@pytest.mark.parametrize(("slot", "value"), cases(good=True))
def test_what_fits_is_taken(slot: Slot, value: Any) -> None:
    slot(value)


@pytest.mark.parametrize(("slot", "value"), cases(good=False))
def test_what_does_not_fit_is_refused_in_words(slot: Slot, value: Any) -> None:
    with pytest.raises(SlotError) as caught:
        slot(value)
    error = caught.value
    assert isinstance(error, LocalProtocolError)
    assert error.expected
    assert str(error).isprintable()
    assert len(str(error)) < 500


@pytest.mark.parametrize("slot", [row[0] for row in TABLE if isinstance(row[1][-1], str)])
@pytest.mark.parametrize("value", [None, 5, b"a", ("a",)])
def test_a_text_is_a_text(slot: Slot, value: Any) -> None:
    with pytest.raises(SlotError):
        slot(value)


def test_a_text_comes_back_as_it_was() -> None:
    for slot in (slots.token, slots.header_name, slots.header_value, slots.user, slots.host, slots.quoted_text):
        text = "".join(["x", "1"])
        assert slot(text) is text
    assert slots.contact_uri_parameters(";Ob;x=1") == (("ob", None), ("x", "1"))
    assert slots.route('"A" <sip:h;lr>').uri.get("lr") == ""
    assert slots.registrar("sip:h:5070").port == 5070


@pytest.mark.parametrize("text", ["", "x", "ü" * 2000, "\t\x01\x7f"])
def test_a_password_is_nearly_anything(text: str) -> None:
    assert slots.password(Secret(text)).reveal() == text


@pytest.mark.parametrize("text", [f"{SECRET}\r\n", f"{SECRET}\0", f"{SECRET}\ud800"])
def test_a_password_is_not_shown(text: str) -> None:
    with pytest.raises(SlotError) as caught:
        slots.password(Secret(text))
    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.args}"


@pytest.mark.parametrize("slot", [slots.address_of_record, slots.registrar, slots.route, slots.contact])
@pytest.mark.parametrize("tail", ["", ">", " x", "\r\n", ";transport=tls", "?x", "x" * 2000])
def test_a_password_in_a_uri_is_not_shown(slot: Slot, tail: str) -> None:
    for text in (f"sip:u:{SECRET}@h{tail}", f"<sip:u:{SECRET}@h{tail}>", f"http://u:{SECRET}@h{tail}"):
        with pytest.raises(SlotError) as caught:
            slot(text)
        assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.expected}"


def test_no_header_that_we_write_ourselves_slips_in_by_its_compact_form() -> None:
    for short, long in COMPACT_FORMS.items():
        for own, slot in ((slots.REGISTER_HEADERS, slots.register_header), (slots.RESPONSE_HEADERS, slots.response_header)):
            for name in (short, short.upper(), long, long.upper()):
                if long in own:
                    with pytest.raises(SlotError):
                        slot((name, "x"))
                else:
                    assert slot((name, "x")) == (name, "x")


def test_an_option_is_refused_in_the_words_of_its_slot() -> None:
    with pytest.raises(ConfigError) as caught:
        slots.fill("user_agent", slots.header_value, "a\r\nb")
    assert str(caught.value) == (
        "user_agent = 'a\\r\\nb': a value without control characters and without white space at its ends"
    )
    assert slots.fill("user_agent", slots.header_value, "a") == "a"


def test_a_refused_header_is_named_with_its_value() -> None:
    with pytest.raises(SlotError) as caught:
        slots.register_header(("X-Site", "a\r\nb"))
    expected = "a value for X-Site without control characters and without white space at its ends"
    assert str(caught.value) == f"'a\\r\\nb': {expected}"
    with pytest.raises(SlotError, match=r"^b'a': must be str and not bytes: a value for X-Site "):
        slots.header_value(cast(str, b"a"), "X-Site")


@settings(max_examples=300)
@given(st.text())
def test_no_slot_lets_a_line_end_through(text: str) -> None:
    """Law: what any slot of a text takes holds no CR, LF, NUL or other control, and nothing that UTF-8 cannot carry."""
    for slot, good, _ in TABLE:
        if not isinstance(good[-1], str):
            continue
        for value in (text, f"{good[-1]}{text}", f"{text}{good[-1]}"):
            try:
                slot(value)
            except SlotError:
                continue
            assert not any(character < " " or "\x7f" <= character <= "\x9f" for character in value)
            assert not set("\u2028\u2029") & set(value)
            value.encode()


def test_a_list_of_words_is_as_long_as_it_is_written() -> None:
    """Each word but the last has a comma and a space behind it."""
    many = ("A",) * (slots.MAX_VALUE // 3)
    assert slots.methods(many) == many
    with pytest.raises(slots.SlotError):
        slots.methods((*many, "A"))


@pytest.mark.parametrize("text", [";a=[", ";a=[]", ";a=[::1", ";a=[x]"])
def test_a_bracket_is_an_address_or_nothing(text: str) -> None:
    assert slots.contact_header_parameters(";a=[::1]") == (("a", "[::1]"),)
    with pytest.raises(slots.SlotError):
        slots.contact_header_parameters(text)
