"""Where a 3xx leads."""

from __future__ import annotations

import pytest

from sipcore.registration.redirect import choose
from sipcore.syntax.limits import MAX_CONTACTS
from tests.registration.laws import Law, parameters, response
from tests.registration.reading_laws import REDIRECT


@pytest.mark.parametrize("law", parameters(REDIRECT))
def test_law(law: Law) -> None:
    """Each law's text is in its own docstring."""
    law.check(examples=200)


def chosen(*contacts: str, tried: frozenset[str] = frozenset(), status: int = 302) -> str | None:
    uri = choose(response(status, *[("Contact", text) for text in contacts]), tried)
    return None if uri is None else str(uri)


@pytest.mark.requirement("RFC3261-8.1.3.4-03")
def test_user_method_and_headers_are_left_behind() -> None:
    contact = "<sip:alice:pw@r2.example:5070;method=INVITE;transport=tcp;x=1?Subject=y>"
    assert chosen(contact) == "sip:r2.example:5070;transport=tcp;x=1"


@pytest.mark.requirement("RFC3261-8.1.3.4-02")
def test_the_highest_q_goes_first_and_then_the_next() -> None:
    contacts = "<sip:a.example>;q=0.1, <sip:b.example>;q=0.9, <sip:c.example>;q=0.9"
    assert chosen(contacts) == "sip:b.example"
    assert chosen(contacts, tried=frozenset({"sip:b.example"})) == "sip:c.example"
    assert chosen(contacts, tried=frozenset({"sip:b.example", "sip:c.example"})) == "sip:a.example"


@pytest.mark.requirement("RFC3261-8.1.3.4-01")
def test_a_place_is_known_again_in_other_letters() -> None:
    assert chosen("<sip:alice@R1.EXAMPLE>", tried=frozenset({"sip:r1.example"})) is None
    # With and without the default port are two URIs (RFC 3261 section 19.1.4).
    assert chosen("<sip:alice@r1.example:5060>", tried=frozenset({"sip:r1.example"})) == "sip:r1.example:5060"


@pytest.mark.requirement("RFC3261-8.1.3.4-05")
@pytest.mark.parametrize(
    "contact",
    ["<sips:r2.example>", "<sip:r2.example;transport=tls>", "<sip:r2.example;transport=ws>", "<tel:123>", "*", "<", ""],
)
def test_what_cannot_be_followed_is_not(contact: str) -> None:
    assert chosen(contact) is None
    assert chosen(contact, "<sip:r3.example>") == "sip:r3.example"


@pytest.mark.parametrize("status", [303, 305, 380, 399])
def test_other_3xx_name_no_other_place(status: int) -> None:
    assert chosen("<sip:r2.example>", status=status) is None


def test_an_endless_list_is_read_up_to_its_limit() -> None:
    contacts = [f"<sip:r{number}.example>;q=0.{number:03d}" for number in range(MAX_CONTACTS + 5)]
    assert chosen(", ".join(contacts)) == f"sip:r{MAX_CONTACTS - 1}.example"
