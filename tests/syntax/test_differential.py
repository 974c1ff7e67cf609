"""Where sipmessage reads a message otherwise than we do, who is right, and by which section.

Of the named messages each disagreement is a row. Mutants disagree too often for rows: there the grammar judges
(`tests.syntax.abnf`), and each disagreement falls into one of a few classes. What falls into none is a defect, most
likely ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest

from sipcore.syntax.limits import MAX_DELTA_SECONDS
from sipcore.testing.mutation.corpus import mutant
from tests.syntax.abnf import LENIENCIES, header_values, valid
from tests.syntax.differential import CRASHED, Refused, differences, ours
from tests.syntax.samples import WELL_FORMED

CORPUS = {
    **WELL_FORMED,
    **{path.name: path.read_bytes() for path in sorted(Path(__file__).with_name("torture").glob("*.dat"))},
}

OURS, EITHER = "ours", "either"


class Row(NamedTuple):
    """One disagreement about one named message."""

    message: str
    facet: str
    right: str
    section: str
    why: str


# fmt: off
ROWS = (
    Row("badaspec.dat", "to", EITHER, "RFC 4475 3.1.2.14",
        "Space inside the brackets may be refused or passed over; we pass over it."),
    Row("baddn.dat", "from", EITHER, "RFC 4475 3.1.2.15",
        "A display name with a comma outside quotes may be refused or taken; we take it."),
    Row("baddn.dat", "to", EITHER, "RFC 4475 3.1.2.15", "The same in To, where a comma can separate nothing."),
    Row("bigcode.dat", "verdict", OURS, "RFC 3261 7.2", "A status code has three digits; they take any number."),
    Row("challenge", "www-authenticate", OURS, "RFC 3261 25.1",
        "A comma inside quotes separates nothing; they cut the list of qop at it."),
    Row("clerr.dat", "verdict", OURS, "RFC 3261 18.3", "A datagram shorter than its Content-Length says is an error."),
    Row("dblreq.dat", "body", OURS, "RFC 3261 18.3", "What follows the body that Content-Length announces is dropped."),
    Row("esc01.dat", "contact", OURS, "RFC 3261 7.3.1",
        "The Contact is folded, so its value is on the next line; they see an empty one."),
    Row("esc01.dat", "headers", OURS, "RFC 3261 7.3.1", "They take that next line for a header of its own."),
    Row("escruri.dat", "verdict", OURS, "RFC 3261 25.1",
        "The grammar has headers in a Request-URI; what not to do about them is the business of who serves it."),
    Row("folded", "verdict", OURS, "RFC 3261 7.3.1", "A header may go on in the next line; they refuse the message."),
    Row("intmeth.dat", "to", OURS, "RFC 3261 25.1",
        "A backslash may stand before any ASCII character; they undo it only before a quote and a backslash."),
    Row("intmeth.dat", "via", OURS, "RFC 3261 19.1.2",
        "A percent sign escapes inside URIs only; they change the branch, and with it the transaction."),
    Row("ipv6-bug-abnf-3-colons.dat", "start", OURS, "RFC 5118 4.10",
        "A third colon means two; they hand on what is no address."),
    Row("ipv6-bug-abnf-3-colons.dat", "to", OURS, "RFC 5118 4.10", "The same in To."),
    Row("ipv6-correct-abnf-2-colons.dat", "verdict", OURS, "RFC 5954 4.1",
        "An IPv4 address may end an IPv6 address behind two colons; they refuse the only correct form."),
    Row("longreq.dat", "headers", OURS, "RFC 3261 7.3.1",
        "White space before the colon is no part of the name; they know such a Via under another name."),
    Row("longreq.dat", "via", OURS, "RFC 3261 7.3.1", "So they miss the Via values of those lines."),
    Row("mcl01.dat", "verdict", OURS, "RFC 4475 3.3.9",
        "Two lengths are two messages to two readers; they do not look before somebody asks."),
    Row("multi01.dat", "call-id", OURS, "RFC 4475 3.3.8", "The header stands twice and may not; they read the first."),
    Row("multi01.dat", "cseq", OURS, "RFC 4475 3.3.8", "The same with CSeq."),
    Row("multi01.dat", "from", OURS, "RFC 4475 3.3.8", "The same with From."),
    Row("multi01.dat", "to", OURS, "RFC 4475 3.3.8", "The same with To."),
    Row("ncl.dat", "verdict", OURS, "RFC 4475 3.1.2.3", "A negative length ends nowhere; they do not look."),
    Row("novelsc.dat", "verdict", OURS, "RFC 4475 3.3.3",
        "A scheme that nobody serves is well-formed and answered by 416; they refuse the message."),
    Row("proxy-challenge", "proxy-authenticate", OURS, "RFC 3261 25.1",
        "A comma inside quotes separates nothing; they cut the realm at it."),
    Row("regescrt.dat", "contact", OURS, "RFC 4475 3.3.14",
        "A Contact's URI may carry headers, which belong to the binding; they refuse it."),
    Row("remove-all", "contact", OURS, "RFC 3261 10.2.2", "A star stands for all bindings; they look for a URI."),
    Row("scalar02.dat", "verdict", OURS, "RFC 3261 7.3.1",
        "They stumble over the folding; the number that is too large shows when CSeq is read."),
    Row("scalarlg.dat", "cseq", OURS, "RFC 3261 8.1.1.5", "A sequence number is below 2**31; they take any number."),
    Row("semiuri.dat", "verdict", OURS, "RFC 3261 7.3.1", "They stumble over the folding, not over the URI."),
    Row("unkscm.dat", "verdict", OURS, "RFC 4475 3.3.2",
        "An unknown scheme is well-formed and answered by 416; they refuse the message."),
    Row("unksm2.dat", "contact", OURS, "RFC 4475 3.3.4", "Any scheme may stand in an address; they know three."),
    Row("unksm2.dat", "from", OURS, "RFC 4475 3.3.4", "The same in From."),
    Row("unksm2.dat", "to", OURS, "RFC 4475 3.3.4", "The same in To."),
    Row("via-received-param-no-delim.dat", "via", OURS, "RFC 5118 4.5",
        "The address in `received` may stand without brackets; they refuse the Via."),
    Row("with-a-body", "verdict", OURS, "RFC 3261 25.1", "The grammar has headers in a Request-URI."),
    Row("wsinv.dat", "verdict", OURS, "RFC 4475 3.1.1.1", "Odd white space and folding are legal; they refuse both."),
)
# fmt: on


@pytest.mark.parametrize("name", CORPUS)
def test_each_disagreement_about_a_named_message_is_a_row(name: str) -> None:
    """Both ways: a disagreement without a row is new and wants a verdict, a row without one is gone."""
    rows = {row.facet: row for row in ROWS if row.message == name}
    found = differences(CORPUS[name])
    assert sorted(rows) == sorted(found), found


def test_every_row_is_of_the_corpus_and_says_by_which_section() -> None:
    assert {row.message for row in ROWS} <= set(CORPUS)
    assert len({(row.message, row.facet) for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert re.fullmatch(r"RFC \d{4} [\d.]+", row.section), row
        # Were they right, it would be a defect and not a row.
        assert row.right in (OURS, EITHER), row


@pytest.mark.parametrize("name", WELL_FORMED)
def test_the_judge_finds_nothing_wrong_with_what_is_well_formed(name: str) -> None:
    data = WELL_FORMED[name]
    assert all(valid(facet, data) for facet in ("verdict", *_READ))


# --- mutants ---------------------------------------------------------------------------------------------------------

_READ = (
    "via from to contact route record-route cseq call-id expires min-expires content-length "
    "www-authenticate proxy-authenticate authorization proxy-authorization"
).split()


class Case(NamedTuple):
    """One disagreement about one mutant."""

    facet: str
    ours: Any
    theirs: Any
    data: bytes

    @property
    def head(self) -> bytes:
        return self.data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0]

    def by_the_grammar(self, *granted: str) -> bool:
        return self.facet in ("verdict", *_READ) and valid(self.facet, self.data, *granted)


class Class(NamedTuple):
    """One reason for many disagreements."""

    name: str
    section: str
    applies: Callable[[Case], bool]


def refused_by_us(case: Case) -> bool:
    return isinstance(case.ours, Refused)


def refused_by_them(case: Case) -> bool:
    return isinstance(case.theirs, Refused)


def for_a_bound(reason: str) -> Callable[[Case], bool]:
    return lambda case: refused_by_us(case) and re.match(reason, case.ours.reason) is not None


def controls_in_a_challenge(case: Case) -> bool:
    """Behind a backslash SIP's own grammar has them; that of HTTP, which RFC 7616 goes by, has not."""
    texts = header_values(case.data).get(case.facet, [])
    escaped = re.search(r"\\[\x00-\x08\x0b-\x1f\x7f]", "\n".join(texts))
    return escaped is not None and for_a_bound("malformed parameters")(case)


BOUNDS = (
    Class("controls in a challenge", "RFC 7230 3.2.6", controls_in_a_challenge),
    Class("a CSeq of 2**31 or more", "RFC 3261 8.1.1.5", for_a_bound(r"malformed CSeq: +\d{10,}(\s|…)")),
    Class("a parameter twice", "RFC 3261 7.3.1", for_a_bound(".*a parameter occurs twice")),
    Class("a star among contacts", "RFC 3261 10.2.2", for_a_bound(r"address: malformed URI in \*$")),
    Class("a port of more than 16 bits", "RFC 3261 25.1", for_a_bound(r"malformed port: .*:(\d{5,}|0+)…?$")),
    Class("no IPv4 address", "RFC 3261 25.1", for_a_bound(r"malformed host: [\d.]+(:\d+)?$")),
    Class("a name too long for a host", "RFC 1035 2.3.4", for_a_bound("malformed host: .{199}")),
    Class("above a limit", "RFC 3261 21.5.7", for_a_bound(r"too many headers|.*more than \d+|.*(is|are) too long")),
)
"""Where the text of an RFC refuses what its grammar allows."""


def granted(leniency: str) -> Callable[[Case], bool]:
    return lambda case: refused_by_them(case) and case.by_the_grammar(leniency)


def same_after(change: Callable[[str], str], theirs: Callable[[str], str] | None = None) -> Callable[[Case], bool]:
    """Both read it, and the values are one when `change` is made to every text in them, or `theirs` to theirs."""
    return lambda case: _deep(change, case.ours) == _deep(theirs or change, case.theirs)


def _deep(change: Callable[[str], str], value: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _deep(change, item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_deep(change, item) for item in value]
    return value


def _collapse(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _without_backslashes(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _without_all(text: str) -> str:
    return _collapse(_without_backslashes(text).replace(":::", "::")).lower()


def misnamed(case: Case) -> bool:
    """A header of this message has white space before its colon, and shows it in no other way."""
    return re.search(rb"^[^:\r\n]*[ \t]:", case.head, re.MULTILINE) is not None


def separators_in_quotes(case: Case) -> bool:
    """They cut parameters at semicolons, and challenges at commas, before they look for quotes."""
    texts = header_values(case.data).get(case.facet, [])
    return any(re.search(r'"(?:[^"\\]|\\.)*[;,](?:[^"\\]|\\.)*"', text) is not None for text in texts)


CLASSES = (
    Class("they crash", "none", lambda case: case.theirs == CRASHED),
    # We refuse.
    Class("not in the grammar", "RFC 3261 25.1", lambda case: refused_by_us(case) and not case.by_the_grammar()),
    *BOUNDS,
    # They refuse.
    Class("they lack a part of the grammar", "RFC 3261 25.1", lambda c: refused_by_them(c) and c.by_the_grammar()),
    *[Class(f"leniency: {name}", "RFC 3261 16.3", granted(name)) for name in LENIENCIES],
    Class("leniencies", "RFC 3261 16.3", lambda case: refused_by_them(case) and case.by_the_grammar(*LENIENCIES)),
    # Both read it, and not the same.
    Class("behind the body", "RFC 3261 18.3", lambda case: case.facet == "body" and case.theirs.startswith(case.ours)),
    Class("folding", "RFC 3261 7.3.1", lambda case: re.search(rb"\r\n[ \t]", case.head) is not None),
    Class("a compact form they lack", "RFC 4474 9", lambda c: re.search(rb"(?im)^n[ \t]*:", c.head) is not None),
    Class("white space before a colon", "RFC 3261 7.3.1", misnamed),
    Class("separators in quotes", "RFC 3261 25.1", separators_in_quotes),
    Class("schemes on one line", "RFC 3261 7.3.1", lambda c: "auth" in c.facet and len(c.ours) > len(c.theirs)),
    Class("escapes outside a URI", "RFC 3261 19.1.2", same_after(lambda text: unquote(text).lower(), str.lower)),
    Class("white space is one space", "RFC 3261 25.1", same_after(_collapse)),
    Class("quoted pairs", "RFC 3261 25.1", same_after(_without_backslashes)),
    Class("a third colon", "RFC 5118 4.10", same_after(lambda text: text.replace(":::", "::"))),
    Class("more seconds than 32 bits", "RFC 3261 20.19", lambda c: c.ours == MAX_DELTA_SECONDS < c.theirs),
    Class("several of these", "RFC 3261 25.1", same_after(lambda text: _without_all(unquote(text)), _without_all)),
)


def class_of(case: Case) -> Class | None:
    return next((row for row in CLASSES if row.applies(case)), None)


SEED = 2026

CASES = 4000
"""About two seconds; by hand it has been ten times as many, of several seeds."""


def test_each_disagreement_about_a_mutant_is_of_a_known_class() -> None:
    """Law: where the two readers differ, the grammar and the classes say why."""
    unknown = []
    for number in range(CASES):
        made = mutant(SEED, number)
        for facet, (one, two) in differences(made.data).items():
            if class_of(Case(facet, one, two, made.data)) is None:
                unknown.append(f"{made}: {facet}: ours {one!r}, theirs {two!r}")
    assert unknown == []


def test_what_we_take_is_the_grammar_the_leniencies_and_the_bounds() -> None:
    """Law: what is taken beyond the grammar is a named leniency, what is refused within it is for a named bound."""
    faults = []
    for number in range(CASES, CASES + CASES // 2):
        made = mutant(SEED, number)
        read = ours(made.data)
        for facet in ("verdict", *_READ):
            case = Case(facet, read.get(facet), None, made.data)
            if refused_by_us(case):
                right = not case.by_the_grammar() or any(row.applies(case) for row in BOUNDS)
            else:
                right = facet not in read or case.by_the_grammar(*LENIENCIES)
            if not right:
                faults.append(f"{made}: {facet}: {read.get(facet)!r}")
    assert faults == []


def test_the_judge_can_convict_us() -> None:
    """A reader that refused a correct CSeq, or took a wrong one, would fall into no class."""
    data = WELL_FORMED["register"]
    assert class_of(Case("cseq", Refused("whatever"), (7, "REGISTER"), data)) is None
    assert class_of(Case("cseq", (8, "REGISTER"), (7, "REGISTER"), data)) is None
    broken = data.replace(b"CSeq: 7 REGISTER", b"CSeq: +7 REGISTER")
    assert class_of(Case("cseq", (7, "REGISTER"), Refused("CSeq is not valid"), broken)) is None
