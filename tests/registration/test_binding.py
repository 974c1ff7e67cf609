"""Which Contact of a 200 is ours, and what it grants."""

from __future__ import annotations

import pytest

from sipcore.registration.binding import Grant, Listed, read_grant
from sipcore.syntax.limits import MAX_CONTACTS
from tests.registration.laws import Law, parameters, response
from tests.registration.reading_laws import BINDING

OURS = "<sip:alice@192.0.2.9:5062>"


@pytest.mark.parametrize("law", parameters(BINDING))
def test_law(law: Law) -> None:
    """Each law's text is in its own docstring."""
    law.check(examples=200)


def read(*contacts: str, header: str | None = None, sent: str = OURS, asked: int = 3600) -> Grant:
    lines = [("Contact", text) for text in contacts]
    if header is not None:
        lines.append(("Expires", header))
    return read_grant(response(200, *lines), sent, asked=asked, profile_assumes=False, zero_is_asked=False)


@pytest.mark.requirement("RFC3261-10.2.4-01")
def test_the_three_places_of_a_lifetime() -> None:
    assert read(f"{OURS};expires=120", "<sip:alice@198.51.100.7>;expires=3600", header="60").expires == 120
    assert read(OURS, header="300") == Grant(True, (), 300, assumed=False)
    assert read(OURS, asked=1800) == Grant(True, (), 1800, assumed=True)


@pytest.mark.requirement("RFC3261-19.1.1-05")
def test_a_component_that_no_contact_has_is_passed_over() -> None:
    """lr has no place in the Contact of a REGISTER and says nothing; with a method another URI is meant (19.1.4)."""
    other = "<sip:alice@198.51.100.7>;expires=7"
    for extra in (";lr", ";lr=on", ";LR;x=1"):
        grant = read(other, f"<sip:alice@192.0.2.9:5062{extra}>;expires=60")
        assert (grant.listed, grant.expires, grant.lost) == (True, 60, False)
    with_method = "<sip:alice@192.0.2.9:5062;lr;method=INVITE>;expires=60"
    assert read(other, with_method).lost
    # Alone it can be of nobody else: boxes on the way rewrite all but the user.
    assert read(with_method).expires == 60


@pytest.mark.requirement("RFC3261-10.2.4-02")
def test_ours_is_third_of_four_and_spelled_otherwise() -> None:
    sent = "<sip:alice@host.example:5062>"
    grant = read(
        "<sip:alice@198.51.100.7>;expires=1, <sip:bob@host.example:5062>;expires=2",
        "<sip:alice@HOST.example:5062;new=1>;expires=3, <sip:alice@host.example>;expires=4",
        sent=sent,
    )
    assert (grant.listed, grant.expires) == (True, 3)
    assert grant.others == (
        Listed("sip:alice@198.51.100.7", 1),
        Listed("sip:bob@host.example:5062", 2),
        Listed("sip:alice@host.example", 4),
    )


def test_of_a_foreign_uri_no_more_is_kept_than_is_shown() -> None:
    grant = read("<sip:bob@host.example>;expires=2", f"<sip:{'x' * 9000}\U0001f600@h>;expires=2", "y" * 9000)
    assert [len(other.uri) for other in grant.others] == [len("sip:bob@host.example"), 201, 201]


@pytest.mark.requirement("RFC3261-10.2.4-07")
def test_two_devices_behind_one_address_are_not_mistaken_for_each_other() -> None:
    grant = read("<sip:alice@192.0.2.9:5063>;expires=60", "<sip:alice@192.0.2.9:5064>;expires=60")
    assert grant.lost
    assert not grant.listed


def test_a_lone_rewritten_contact_is_ours() -> None:
    """Middle boxes put their own address into the Contact."""
    assert read("<sip:alice@203.0.113.5:40000>;expires=60").listed
    assert not read("<sip:alice@203.0.113.5:40000>;expires=60", "<sip:alice@203.0.113.6>").listed


@pytest.mark.requirement("RFC3261-10.2-13", "RFC3261-10.2-14")
@pytest.mark.parametrize(
    ("text", "expires"),
    [("abc", 3600), ("", 3600), ("-1", 3600), ("99999999999", 2**32 - 1), ("000000000000060", 60), ("٦", 3600)],
)
def test_a_number_that_is_none_or_too_large(text: str, expires: int) -> None:
    assert read(f"{OURS};expires={text}").expires == expires
    assert read(f"{OURS};q=1;expires={text}").expires == expires


@pytest.mark.requirement("RFC3261-10.2.4-08")
def test_a_grant_of_0() -> None:
    assert read(f"{OURS};expires=0").lost
    assert read(OURS, header="0").lost
    assert not read(f"{OURS};expires=1").lost


def test_a_contact_that_cannot_be_read_is_somebody_elses() -> None:
    grant = read("<sip:alice@>;expires=5", f"{OURS};expires=60", "<<>;x", "nonsense")
    assert (grant.listed, grant.expires, len(grant.others)) == (True, 60, 3)


def test_a_malformed_contact_alone_is_no_binding_of_ours() -> None:
    assert read("<sip:alice@192.0.2.9:5062;x=1;x=2>").lost


def test_a_list_is_read_up_to_its_limit() -> None:
    contacts = [f"<sip:alice@198.51.100.7:{1000 + number}>" for number in range(MAX_CONTACTS)]
    assert read(", ".join(contacts)).lost
    assert read(", ".join([*contacts[1:], OURS])).listed


def test_beyond_that_limit_nobody_can_say_that_we_are_not_listed() -> None:
    contacts = [f"<sip:alice@198.51.100.7:{1000 + number}>" for number in range(MAX_CONTACTS)]
    grant = read(", ".join([*contacts, OURS]))
    assert not grant.lost
    assert grant.assumed
    assert grant.expires == 3600
