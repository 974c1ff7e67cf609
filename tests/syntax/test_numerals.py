"""Numbers are digits by the grammar, not whatever `int()` takes; and `int()` is called where somebody has looked."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from sipcore.auth.verify import DigestVerifier, VerifyOutcome
from sipcore.errors import RemoteProtocolError
from sipcore.registration.binding import read_grant
from sipcore.syntax import STAR, Request, Response, StreamFramer, Uri, parse_message
from sipcore.syntax.addresses import parse_contacts, parse_name_addr
from sipcore.syntax.grammar import delta_seconds, is_host, parse_host_port, parse_uint
from sipcore.syntax.headers import parse_cseq, parse_expires, parse_retry_after
from sipcore.syntax.limits import MAX_DELTA_SECONDS, MAX_PORT
from sipcore.syntax.qvalues import parse_qvalue
from sipcore.syntax.remarks import RetryAfter, Timestamp, WarningValue
from sipcore.syntax.via import parse_via

TAKEN_BY_INT = [
    *("+200", "-200", "2_00", "20_0", "\x0b200", "200\x0c", "\x85200", "200\xa0", "\u2003200"),
    *("٢٠٠", "２００", "२००", "𝟚𝟘𝟘", "200\u2009", "٢00", "20０"),
]
"""All of these are 200 or -200 to `int()`."""

TAKEN_BY_NOBODY = [
    *("", "0x200", "0b11", "0o7", "2e2", "200.0", "200.", ".2", "2 00", "200a", "a200", "²", "½", "Ⅷ", "inf", "nan"),
    *("200\x00", "\x1c200", "200\x1f", "--200", "+-200", "200%", "_200", "200_", "\ufeff200", "200\udcff"),
]

NOT_NUMBERS = [*TAKEN_BY_INT, *TAKEN_BY_NOBODY]


def message(*lines: str, start: str = "SIP/2.0 200 OK", body: bytes = b"") -> Request | Response:
    text = "\r\n".join([start, *lines, "", ""])
    return parse_message(text.encode("utf-8", "surrogateescape") + body)


def status(text: str) -> int:
    response = message(start=f"SIP/2.0 {text} OK")
    assert isinstance(response, Response)
    return response.status


def length(text: str) -> int:
    return len(message(f"Content-Length: {text}", body=b"x" * 300).body)


def stream_length(text: str) -> int:
    framer = StreamFramer()
    items = framer.receive(f"SIP/2.0 200 OK\r\nl:{text}\r\n\r\n".encode("utf-8", "surrogateescape") + b"x" * 200)
    if framer.error is not None:
        raise framer.error
    (item,) = items
    assert isinstance(item, bytes)
    return len(parse_message(item).body)


def granted(text: str) -> int | None:
    response = message(f"Contact: <sip:a@h>;expires={text}")
    assert isinstance(response, Response)
    grant = read_grant(response, "<sip:a@h>", asked=7, profile_assumes=False, zero_is_asked=False)
    # 3600 seconds is what a malformed parameter counts as (RFC 3261 section 10.3, step 7 of the registrar).
    return None if grant.expires == 3600 else grant.expires


def contact_expires(text: str) -> int | None:
    contacts = parse_contacts([f"<sip:a@h>;expires={text}"])
    assert contacts is not STAR
    return parse_expires(contacts[0].get("expires") or "")


def warning(text: str) -> int:
    return WarningValue.parse(f'{text} h "x"').code


READERS: dict[str, Callable[[str], int | None]] = {
    "parse_uint": lambda text: parse_uint(text, maximum=10**6),
    "delta_seconds": delta_seconds,
    "status": status,
    "CSeq": lambda text: parse_cseq(f"{text} REGISTER").number,
    "CSeq of a method of its own": lambda text: parse_cseq(f"{text} x").number,
    "Content-Length of a datagram": length,
    "Content-Length of a stream": stream_length,
    "Expires": lambda text: message(f"Expires: {text}").expires,
    "Min-Expires": lambda text: message(f"Min-Expires: {text}").min_expires,
    "Retry-After": lambda text: message(f"Retry-After: {text}").retry_after,
    "Retry-After with more": lambda text: parse_retry_after(f"{text} (busy);duration=5"),
    "Retry-After in full": lambda text: getattr(RetryAfter.parse(text), "seconds", None),
    "duration": lambda text: getattr(RetryAfter.parse(f"5;duration={text}"), "duration", None),
    "Warning": warning,
    "expires of a Contact": contact_expires,
    "expires of our Contact": granted,
    "port of a Via": lambda text: parse_via(f"SIP/2.0/UDP h:{text}").port,
    "port of a Via with space": lambda text: parse_via(f"SIP / 2.0 / UDP h : {text}").port,
    "port of a Via with IPv6": lambda text: parse_via(f"SIP/2.0/UDP [::1]:{text}").port,
    "rport": lambda text: parse_via(f"SIP/2.0/UDP h;rport={text}").rport,
    "port of a URI": lambda text: Uri.parse(f"sip:a@h:{text}").port,
    "port of a URI with more": lambda text: Uri.parse(f"SIP:a@h:{text};lr?b=c").port,
    "port of an address": lambda text: parse_name_addr(f"<sip:a@h:{text}>").uri.port,
    "port": lambda text: parse_host_port(f"h:{text}")[1],
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.requirement("RFC3261-20.19-01", "RFC3261-20.16-01", "RFC3261-20.14-02")
def test_a_number_is_digits_and_nothing_else(name: str) -> None:
    """Law: every reader of a number takes 200, and refuses what only `int()` or nobody takes."""
    read = READERS[name]
    assert read("200") == 200
    assert name == "status" or name == "Warning" or read("00200") == 200
    for text in NOT_NUMBERS:
        try:
            value = read(text)
        except RemoteProtocolError:
            continue
        assert value is None, (text, value)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("digits", ["9" * 5000, "0" * 5000 + "7", "1" + "0" * 4400, "٣" * 5000])
def test_thousands_of_digits_raise_nothing_else(name: str, digits: str) -> None:
    """`int()` raises ValueError above 4300 digits."""
    try:
        value = READERS[name](digits)
    except RemoteProtocolError:
        return
    assert value is None or value in (7, 10**6, MAX_PORT, MAX_DELTA_SECONDS)


@pytest.mark.parametrize("text", ["200", *NOT_NUMBERS])
def test_the_family_is_what_it_says(text: str) -> None:
    try:
        number = abs(int(text))
    except ValueError:
        number = None
    assert (number == 200) is (text in TAKEN_BY_INT or text == "200")


@pytest.mark.parametrize("text", ["+0.5", "-0", "0.5_0", "0.٥", "٠.5", "0,5", "1e0", "0.5555", "2", "00.5", "1.001"])
def test_a_preference_is_no_float(text: str) -> None:
    assert parse_qvalue("0.5") == 500
    assert parse_qvalue(text) is None


@pytest.mark.parametrize("text", ["+1.5", "1_0.5", "٢.5", "1.٥", "1e3", "inf", "nan", "1.5.5", "-1", "0x1", "9" * 5000])
def test_a_timestamp_is_no_float(text: str) -> None:
    assert Timestamp.parse("1.5") is not None
    assert Timestamp.parse(text) is None


@pytest.mark.parametrize("text", ["+1.2.3.4", "1.2.3.+4", "1.2.3.٤", "01.2.3.4", "1.2.3.256", "1.2.3.0x4", " 1.2.3.4"])
def test_an_address_is_made_of_numbers_by_the_grammar(text: str) -> None:
    assert is_host("1.2.3.4")
    # A name like 1.2.3.0x4 is a name; some resolvers make an address of it, but ours is not asked for literals.
    assert is_host(text) is (text == "1.2.3.0x4")


@pytest.mark.parametrize(
    "count", ["1", "+0000001", "-0000001", "0000_001", "0x000001", "0000001 ", "٠٠٠٠٠٠٠١", "000000001", "0000000g", ""]
)
def test_a_nonce_count_is_eight_hexadecimal_digits(count: str) -> None:
    verifier = DigestVerifier("r", random=Random(1))

    def outcome(nc: str) -> VerifyOutcome:
        text = f'Digest username="a", realm="r", nonce="n", uri="sip:h", response="0", cnonce="c", qop=auth, nc="{nc}"'
        return verifier.verify(text, "REGISTER", "sip:h", b"", lambda name, realm: None, 0.0).outcome

    # MD5 is offered: what has no algorithm gets as far as its password.
    assert outcome("0000000f") is VerifyOutcome.WRONG
    assert outcome(count) is VerifyOutcome.MALFORMED


# --- the calls -------------------------------------------------------------------------------------------------------

CORE = Path(__file__).parents[2] / "sipcore"

CALLS = {
    "syntax/grammar.py: parse_uint": "checked there; what others call",
    "syntax/framing.py: _uint": "bytes.isdigit() is ASCII only, and the length is bounded",
    "syntax/addresses.py: parse_name_addr": "the expression matched up to five ASCII digits",
    "syntax/headers.py: parse_expires": "ASCII digits, few enough",
    "syntax/via.py: Via.rport": "up to nine ASCII digits",
    "syntax/via.py: parse_via": "the expression matched up to five ASCII digits",
    "syntax/headers.py: parse_cseq": "ASCII digits, up to ten",
    "syntax/uri.py: Uri.parse": "the expression matched up to five ASCII digits",
    "syntax/uri.py: _plain": "two hexadecimal digits, checked by check_escapes",
    "syntax/dates.py: parse_date": "all of its digits are checked before",
    "syntax/qvalues.py: parse_qvalue": "up to three ASCII digits",
    "syntax/remarks.py: _microseconds": "ASCII digits, up to six",
    "syntax/slots.py: status_code": "a number of ours",
    "registration/binding.py: read_grant": "ASCII digits, up to ten",
    "registration/schedule.py: initial_delay": "a float of ours",
    "transaction/matching.py: mismatch": "the CSeq and the port that we sent",
    "auth/verify.py: DigestVerifier.verify": "eight hexadecimal digits, checked by _is_count",
    "auth/nonces.py: Nonces.issue": "a time of ours",
    "auth/nonces.py: Nonces.accept": "our own writing: its tag was right",
    "auth/sha512_256.py: _derive_initial": "a constant",
    "replay/recording.py: _draw": "up to four ASCII digits; the expression matched them",
    "replay/dice.py: PlayedDice.getrandbits": "a number of a recording, checked when it was read",
    "replay/player.py: _plain": "a float without a fraction, so neither infinite nor NaN",
    "replay/ladder.py: draw": "a float of bounded size",
    "replay/ladder.py: _time_of_day": "the same",
    "native/kinds.py: _read_seconds": "a number that was read already, without a fraction and not infinite",
    "asterisk/options.py: parse_integer": "a configuration file's; all that int() takes besides is caught there",
}
"""Every call of `int()` in the core, by function, and why it cannot be given what int() should not get."""


def calls(tree: ast.AST, scope: tuple[str, ...] = ()) -> Iterator[str]:
    for child in ast.iter_child_nodes(tree):
        inner = (*scope, child.name) if isinstance(child, ast.FunctionDef | ast.ClassDef) else scope
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id == "int":
            yield ".".join(scope)
        yield from calls(child, inner)


def test_int_is_called_where_somebody_has_looked() -> None:
    found = set()
    for path in CORE.rglob("*.py"):
        place = path.relative_to(CORE).as_posix()
        if not place.startswith("testing/"):
            tree = ast.parse(path.read_text("utf-8"))
            found |= {f"{place}: {scope}" for scope in calls(tree)}
    assert sorted(found - set(CALLS)) == [], "say in CALLS why int() may be called there"
    assert sorted(set(CALLS) - found) == []
