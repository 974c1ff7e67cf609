"""What must hold of what is read out of a 423, a 3xx and a 2xx, whatever stands in them."""

from __future__ import annotations

from hypothesis import assume
from hypothesis import strategies as st

from sipcore.profiles import ASTERISK, JSSIP, PROFILES, SIPCORE, Profile
from sipcore.registration.binding import Grant
from sipcore.syntax.uri import Uri
from tests.registration.laws import Law, Rules, law, response

__all__ = ["BINDING", "LAWS", "REDIRECT", "TOO_BRIEF"]

WEEK = 7 * 86400
DELTA = 2**32 - 1

EDGES = [1, 2, 9, 10, 11, 3599, 3600, 3601, 3602, WEEK - 1, WEEK, WEEK + 1, DELTA]
lifetimes = st.one_of(st.sampled_from(EDGES), st.integers(1, 8000), st.integers(1, DELTA))
minima = st.one_of(st.none(), st.sampled_from(EDGES), st.integers(0, 8000), st.integers(0, DELTA))
profiles = st.sampled_from(list(PROFILES)).map(PROFILES.__getitem__)

# --- 423 -------------------------------------------------------------------------------------------------------------


@law("RFC3261-20.23-01", profile=profiles, asked=lifetimes, minimum=minima, guessed=st.booleans())
def what_is_asked_only_grows(rules: Rules, profile: Profile, asked: int, minimum: int | None, guessed: bool) -> None:
    """Law: the next lifetime is greater than the last one and at most a week; or there is none."""
    raised = rules.raised_expires(profile.too_brief, asked=asked, minimum=minimum, guessed=guessed)
    assert raised == 0 or asked < raised <= WEEK


@law(
    "RFC3261-10.2.8-01",
    profile=profiles,
    asked=lifetimes,
    minimum=st.one_of(st.sampled_from(EDGES[:-2]), st.integers(0, WEEK)),
    guessed=st.booleans(),
)
def a_min_expires_is_met_exactly(rules: Rules, profile: Profile, asked: int, minimum: int, guessed: bool) -> None:
    """Law: a Min-Expires above what was asked, up to a week, is what is asked next (JSSIP: at least 10 s)."""
    minimum = max(minimum, 10 if profile is JSSIP else 1)
    raised = rules.raised_expires(profile.too_brief, asked=asked, minimum=minimum, guessed=guessed)
    assert raised == (minimum if asked < minimum else 0)


@law(asked=st.integers(1, 20), minimum=st.integers(0, 20))
def a_tiny_min_expires_counts_as_the_floor(rules: Rules, asked: int, minimum: int) -> None:
    """Law: JSSIP never asks for less than 10 s; the others take any number that is greater than before."""
    floored = rules.raised_expires(JSSIP.too_brief, asked=asked, minimum=minimum, guessed=False)
    assert floored == (max(minimum, 10) if asked < max(minimum, 10) else 0)
    for profile in (SIPCORE, ASTERISK):
        raised = rules.raised_expires(profile.too_brief, asked=asked, minimum=minimum, guessed=False)
        assert raised == (minimum if asked < minimum else 0)


@law("RFC3261-20.23-01", profile=profiles, asked=lifetimes)
def without_a_number_one_guess_is_made(rules: Rules, profile: Profile, asked: int) -> None:
    """Law: without Min-Expires SIPCORE doubles, ASTERISK asks for 3601, JSSIP stops; nobody guesses twice."""
    assert rules.raised_expires(profile.too_brief, asked=asked, minimum=None, guessed=True) == 0
    guess = {SIPCORE: min(2 * asked, WEEK), ASTERISK: 3601, JSSIP: 0}[profile]
    raised = rules.raised_expires(profile.too_brief, asked=asked, minimum=None, guessed=False)
    assert raised == (guess if guess > asked else 0)


# --- 3xx -------------------------------------------------------------------------------------------------------------

nasty = st.one_of(
    st.text(max_size=20),
    st.lists(
        st.sampled_from(
            [
                "<",
                ">",
                ";",
                ",",
                '"',
                "sip:",
                "sips:",
                "h.example",
                "a@",
                ":5060",
                "q=0.5",
                "expires=",
                "7",
                "*",
                "%",
                " ",
            ]
        ),
        max_size=9,
    ).map("".join),
)
hosts = st.sampled_from(["h.example", "i.example", "H.example", "192.0.2.1", "[2001:db8::1]:5070"])
VALUE_OF_Q = {";q=0.5": 0.5, ";q=0.9": 0.9, ";q=0": 0.0, ";q=0.123": 0.123}
NOT_A_Q = ["", ";q=1", ";q=1.000", ";q=1.5", ";q=9", ";q=x", ";q=", ";q=0.1234", ";q=0.x", ";q=0.٣", ";q=-1"]
qs = st.sampled_from([*VALUE_OF_Q, *NOT_A_Q])
redirecting = st.builds(
    "<{}:{}{}{}>{}".format,
    st.sampled_from(["sip", "sip", "SIP", "sips", "tel", "mailto"]),
    st.sampled_from(["", "a@", "a:secret@"]),
    hosts,
    st.sampled_from(["", ";transport=tcp", ";transport=udp", ";transport=tls", ";method=INVITE;lr", "?Subject=x"]),
    qs,
)
contacts_of_3xx = st.lists(st.one_of(redirecting, nasty), max_size=5)


@law(
    "RFC3261-8.1.3.4-03",
    "RFC3261-8.1.3.4-05",
    status=st.sampled_from([300, 301, 302]),
    contacts=contacts_of_3xx,
    tried=st.sets(st.sampled_from(["sip:h.example", "sip:i.example", "sip:192.0.2.1"])),
)
def a_redirect_leads_to_a_registrar(rules: Rules, status: int, contacts: list[str], tried: set[str]) -> None:
    """Law: what is followed is a bare sip URI that we can reach as it asks, and that was not tried; nothing raises."""
    uri = rules.choose(response(status, *[("Contact", text) for text in contacts]), tried)
    if uri is None:
        return
    assert uri == Uri.parse(str(uri))
    assert (uri.scheme, uri.user, uri.password, uri.headers) == ("sip", None, None, "")
    assert uri.get("method") is None
    assert (uri.get("transport") or "udp") in ("udp", "tcp")
    assert not any(uri.equivalent(Uri.parse(text)) for text in tried)
    assert any(uri.host in text for text in contacts)


@law("RFC3261-8.1.3.4-02", contacts=st.lists(st.builds("<sip:{}>{}".format, hosts, qs), min_size=1, max_size=5))
def the_preferred_one_is_followed(rules: Rules, contacts: list[str]) -> None:
    """Law: the first of those with the highest q is followed; a q that is missing or no number counts as 1."""
    uri = rules.choose(response(302, *[("Contact", text) for text in contacts]), frozenset())
    assert uri is not None
    values = {text: VALUE_OF_Q.get(text[text.index(">") + 1 :], 1.0) for text in contacts}
    best = next(text for text, value in values.items() if value == max(values.values()))
    assert f"<{uri}>" in best


@law(status=st.integers(300, 399), contacts=contacts_of_3xx)
def only_three_kinds_of_3xx_are_followed(rules: Rules, status: int, contacts: list[str]) -> None:
    """Law: 300, 301 and 302 name other places for the same request; no other 3xx does."""
    if status > 302:
        assert rules.choose(response(status, *[("Contact", text) for text in contacts]), frozenset()) is None
    else:
        assert rules.choose(response(status, ("Contact", "<sip:a@h.example>")), frozenset()) is not None


@law("RFC3261-8.1.3.4-01", rounds=st.lists(contacts_of_3xx, min_size=1, max_size=6))
def no_place_is_tried_twice(rules: Rules, rounds: list[list[str]]) -> None:
    """Law: however the registrars send us round, an attempt sees each URI once, whatever its spelling."""
    tried = {"sip:h.example"}
    for contacts in rounds:
        uri = rules.choose(response(302, *[("Contact", text) for text in contacts]), tried)
        if uri is not None:
            assert not any(uri.equivalent(Uri.parse(text)) for text in tried)
            tried.add(str(uri))


# --- 2xx -------------------------------------------------------------------------------------------------------------

OURS = "<sip:alice@192.0.2.9:5062>"
FOREIGN = ["<sip:alice@198.51.100.7:5060>", "<sip:alice@192.0.2.9:5063>", "<sip:bob@192.0.2.9:5062>"]
FOREIGN += ['"A, B" <sip:alice@192.0.2.10>', "<sip:alice@192.0.2.9:5062;transport=tcp>", "sip:carol@example.com"]

# The same URI in other words (RFC 3261 section 19.1.4).
SPELLINGS = [
    OURS,
    "<SIP:alice@192.0.2.9:5062>",
    "<sip:%61lice@192.0.2.9:5062>",
    '"Alice" <sip:alice@192.0.2.9:5062;x=1>',
]
SPELLINGS += ["sip:alice@192.0.2.9:5062", " < sip:alice@192.0.2.9:5062 > "]

grants = st.one_of(st.none(), st.integers(0, 7200), st.integers(0, DELTA))
headers = st.one_of(st.none(), st.integers(0, DELTA))
asks = st.integers(1, DELTA)


def listed(uri: str, expires: int | str | None) -> str:
    return uri if expires is None else f"{uri};expires={expires}"


def read(
    rules: Rules,
    contacts: list[str],
    header: int | str | None,
    asked: int,
    profile: Profile = SIPCORE,
    sent: str = OURS,
) -> Grant:
    lines = [("Contact", text) for text in contacts]
    if header is not None:
        lines.append(("Expires", str(header)))
    grant: Grant = rules.read_grant(
        response(200, *lines),
        sent,
        asked=asked,
        profile_assumes=profile.assume_unlisted,
        zero_is_asked=profile.zero_grant_is_asked,
    )
    return grant


@law(
    "RFC3261-20.19-01",
    profile=profiles,
    contacts=st.lists(st.one_of(nasty, st.sampled_from([OURS, *FOREIGN]), st.builds(listed, st.just(OURS), grants))),
    header=st.one_of(headers, st.text(alphabet="0123456789abc -", max_size=12)),
    asked=asks,
)
def whatever_a_2xx_holds_is_a_grant(
    rules: Rules, profile: Profile, contacts: list[str], header: int | str | None, asked: int
) -> None:
    """Law: reading a 2xx never raises, and the lifetime is a number that the header can hold."""
    assume(not any(mark in text for text in contacts for mark in "\r\n\0"))
    grant = read(rules, contacts, header, asked, profile)
    assert 0 <= grant.expires <= DELTA
    assert grant.lost == (grant.expires == 0 or (not grant.listed and grant.others != ()))


@law(
    "RFC3261-10.2.4-01",
    "RFC3261-10.2.4-02",
    spelling=st.sampled_from(SPELLINGS),
    others=st.lists(st.tuples(st.sampled_from(FOREIGN), grants), max_size=3),
    place=st.integers(0, 3),
    granted=grants,
    header=headers,
    asked=asks,
)
def our_contact_is_found(
    rules: Rules,
    spelling: str,
    others: list[tuple[str, int | None]],
    place: int,
    granted: int | None,
    header: int | None,
    asked: int,
) -> None:
    """Law: ours counts, however spelled and wherever it stands: its expires, else the header, else what was asked."""
    contacts = [listed(*other) for other in others]
    contacts.insert(place, listed(spelling, granted))
    expected = granted if granted is not None else header if header is not None else asked
    for profile in PROFILES.values():
        for together in (contacts, [", ".join(contacts)]):
            grant = read(rules, together, header, asked, profile)
            assert grant.listed
            if granted != 0 or profile is not ASTERISK:
                assert grant.expires == expected
            assert grant.assumed == (granted is None and header is None)
            assert grant.lost == (grant.expires == 0)
            assert [item.expires for item in grant.others] == [expires for _, expires in others]


@law("RFC3261-10.2.4-07", others=st.lists(st.sampled_from(FOREIGN), min_size=2, max_size=4), header=headers, asked=asks)
def foreign_contacts_are_never_ours(rules: Rules, others: list[str], header: int | None, asked: int) -> None:
    """Law: a list that names others and not us says that there is no binding of ours; the models assume it."""
    grant = read(rules, [listed(text, 60) for text in others], header, asked, SIPCORE)
    assert grant.lost
    assert not grant.listed
    assert len(grant.others) == len(others)
    for profile in (ASTERISK, JSSIP):
        grant = read(rules, [listed(text, 60) for text in others], header, asked, profile)
        assert grant.listed
        # Asterisk believes no 0, not even of the header.
        assert grant.expires == (header or asked if profile is ASTERISK else asked if header is None else header)


@law("RFC3261-10.2.4-01", header=headers, asked=asks)
def an_empty_list_grants_what_was_asked(rules: Rules, header: int | None, asked: int) -> None:
    """Law: a 2xx without any Contact grants the Expires header, else what was asked, and says when that is assumed."""
    for contacts in ([], ["*"], [""]):
        grant = read(rules, contacts, header, asked)
        assert (grant.expires, grant.others) == (asked if header is None else header, ())
        assert grant.assumed == (header is None)
        assert grant.lost == (header == 0)


@law(
    "RFC3261-10.2.4-01",
    grants_of_ours=st.lists(grants, min_size=2, max_size=3),
    header=headers,
    asked=asks,
)
def of_several_the_shortest_counts(
    rules: Rules, grants_of_ours: list[int | None], header: int | None, asked: int
) -> None:
    """Law: when a registrar lists us several times, the shortest lifetime that it gives counts."""
    contacts = [listed(text, value) for text, value in zip(SPELLINGS, grants_of_ours, strict=False)]
    known = [value for value in grants_of_ours if value is not None]
    assert read(rules, contacts, header, asked).expires == (
        min(known) if known else header if header is not None else asked
    )


@law("RFC3261-10.2.4-08", header=headers, asked=asks)
def a_grant_of_0_is_no_binding(rules: Rules, header: int | None, asked: int) -> None:
    """Law: expires=0 for our Contact means that there is none; only ASTERISK believes what was asked instead."""
    for contacts in ([f"{OURS};expires=0"], [f"{OURS};q=1;expires=0"], [*FOREIGN[:2], f"{OURS};expires=0"]):
        for profile in (SIPCORE, JSSIP):
            assert read(rules, contacts, header, asked, profile).lost
        grant = read(rules, contacts, header, asked, ASTERISK)
        assert grant.expires == (asked if header is None else header)


numbers = st.one_of(
    st.integers(DELTA - 1, 10**10).map(str),
    st.just("9" * 5000),
    st.integers(0, 10**12).map(str),
    st.builds(
        "{}{}".format, st.sampled_from(["0", "000000000000", "+", "-", " ", "", "٣", "1_0"]), st.integers(0, 9999)
    ),
    st.text(alphabet="0123456789abc", max_size=25),
)


@law("RFC3261-10.2-13", "RFC3261-10.2-14", number=numbers, asked=asks)
def a_lifetime_is_read_alike_wherever_it_stands(rules: Rules, number: str, asked: int) -> None:
    """Law: an echoed Contact is read as any other is: up to 2**32-1, 3600 when it is no number, and only `expires`."""
    assert read(rules, [f"{OURS};version={number}"], None, asked).expires == asked
    text = number.strip(" ")
    value = min(int(text[:4000]), DELTA) if text.isascii() and text.isdecimal() else 3600
    for contact in (f"{OURS};expires={number}", f"{OURS};q=1;expires={number}", f"{OURS} ; expires = {number} ;x"):
        grant = read(rules, [contact], None, asked)
        assert grant.listed
        assert grant.expires == value, contact


@law(header=headers, asked=asks, granted=st.integers(1, DELTA))
def a_rewritten_contact_is_ours_when_nobody_else_is_listed(
    rules: Rules, header: int | None, asked: int, granted: int
) -> None:
    """Law: a lone Contact with our user is ours whatever its host; one with another user is not but to ASTERISK."""
    grant = read(rules, [f"<sip:alice@203.0.113.5:40000>;expires={granted}"], header, asked)
    assert (grant.listed, grant.expires, grant.others) == (True, granted, ())
    for other in ("<sip:bob@192.0.2.9:5062>", "<sip:carol@192.0.2.9:5062>"):
        assert len("carol") == len("alice"), "one that is as long as ours"
        assert read(rules, [f"{other};expires={granted}"], header, asked).lost
        grant = read(rules, [f"{other};expires={granted}"], header, asked, ASTERISK)
        assert (grant.listed, grant.expires) == (True, granted)
    assert read(rules, [f"<tel:alice>;expires={granted}"], header, asked).lost


@law("RFC5626-4.2.1-01", granted=st.integers(1, 1000))
def the_ladder_goes_from_sure_to_likely(rules: Rules, granted: int) -> None:
    """Law: instance and reg-id are surer than the URI, the URI than the line token, and that than the user alone."""
    instance = '+sip.instance="<urn:uuid:1>"'
    sent = f"{OURS};{instance};reg-id=1"
    by_instance = f"<sip:alice@203.0.113.5>;{instance};reg-id=1;expires={granted}"
    other_flow = f"<sip:alice@203.0.113.6>;{instance};reg-id=2;expires=5"
    other_device = '<sip:alice@203.0.113.7>;+sip.instance="<urn:uuid:2>";reg-id=1;expires=3'
    by_uri = f"{OURS};expires=7"
    assert read(rules, [other_flow, other_device, by_uri, by_instance], None, 60, sent=sent).expires == granted
    assert read(rules, [other_flow, by_uri], None, 60, sent=sent).expires == 7
    sent = "<sip:alice@192.0.2.9:5062;line=f00d>"
    by_line = f"<sip:alice@203.0.113.5;line=f00d>;expires={granted}"
    other_line = "<sip:alice@203.0.113.5;line=beef>;expires=5"
    by_uri = f"{sent};expires=7"
    assert read(rules, [other_line, by_line], None, 60, sent=sent).expires == granted
    assert read(rules, [by_line, by_uri], None, 60, sent=sent).expires == 7
    assert read(rules, [f"<sip:alice@203.0.113.5>;expires={granted}"], None, 60, sent=sent).expires == granted
    assert read(rules, [other_line, FOREIGN[0]], None, 60, sent=sent).lost


LAWS = [item for item in list(globals().values()) if isinstance(item, Law)]
TOO_BRIEF = LAWS[:4]
REDIRECT = LAWS[4:8]
BINDING = LAWS[8:]
