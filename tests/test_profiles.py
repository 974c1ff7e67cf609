"""The profiles are complete tables; what differs between them is data."""

from __future__ import annotations

import ast
from dataclasses import fields, replace
from pathlib import Path

import pytest

import sipcore
from sipcore.auth import ASTERISK_POLICY, JSSIP_POLICY, SIPCORE_POLICY
from sipcore.config import Account
from sipcore.errors import ConfigError
from sipcore.exchange.outcome import CONTINUING
from sipcore.profiles import (
    ASTERISK,
    JSSIP,
    MAX_REQUESTS_PER_ATTEMPT,
    MAX_UNTRIED_CREDENTIALS,
    MIN_ATTEMPT_GAP,
    PROFILES,
    SIPCORE,
    Backoff,
    ChallengeRule,
    Counted,
    Doubling,
    FixedLead,
    Give,
    InitialDelay,
    JsSipLead,
    Profile,
    RetryAfterRule,
    ShareLead,
    TooBriefRule,
)
from sipcore.values import OutcomeClass

every = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)


@pytest.mark.requirement("RFC3261-8.1.3.5-06")
def test_the_promise_in_numbers() -> None:
    assert (MIN_ATTEMPT_GAP, MAX_REQUESTS_PER_ATTEMPT, MAX_UNTRIED_CREDENTIALS) == (1.0, 8, 3)


def test_there_are_three_by_name() -> None:
    assert dict(PROFILES) == {"SIPCORE": SIPCORE, "ASTERISK": ASTERISK, "JSSIP": JSSIP}
    assert all(profile.name == name for name, profile in PROFILES.items())


GIVE = dict.fromkeys(
    (OutcomeClass.REMOVED, OutcomeClass.TEMPORARY, OutcomeClass.CREDENTIALS, OutcomeClass.PERMANENT), Give()
)
FATAL = Counted(options=("fatal_retry_interval",))

CELLS: dict[str, tuple[object, object, object]] = {
    "name": ("SIPCORE", "ASTERISK", "JSSIP"),
    "refresh": (
        ShareLead(share=0.25, floor=40.0, ceiling=600.0, at_most=0.5, jitter=0.1),
        FixedLead(lead=10.0),
        JsSipLead(minimum=10.0, threshold=64.0, lead=5.0),
    ),
    "retries": (
        {
            OutcomeClass.REMOVED: Doubling(first=1.0, ceiling=1800.0),
            OutcomeClass.TEMPORARY: Backoff(base=30.0, ceiling=1800.0, standing_ceiling=10.0),
            OutcomeClass.CREDENTIALS: Doubling(first=600.0, ceiling=86400.0),
            OutcomeClass.PERMANENT: Doubling(first=3600.0, ceiling=86400.0),
        },
        {
            OutcomeClass.REMOVED: Give(),
            OutcomeClass.TEMPORARY: Counted(options=("retry_interval", "fatal_retry_interval")),
            OutcomeClass.CREDENTIALS: FATAL,
            OutcomeClass.PERMANENT: FATAL,
        },
        GIVE,
    ),
    "challenge": (
        ChallengeRule(answers=3, without_stale=2, only_bare_requests=False),
        ChallengeRule(answers=3, without_stale=3, only_bare_requests=True),
        ChallengeRule(answers=2, without_stale=1, only_bare_requests=False),
    ),
    "too_brief": (
        TooBriefRule(guess="double", floor=1),
        TooBriefRule(guess="3601", floor=1),
        TooBriefRule(guess="refuse", floor=10),
    ),
    "retry_after": (RetryAfterRule(cap=3600, jitter=0.1), RetryAfterRule(cap=None, jitter=0.0), None),
    "initial_delay": (None, InitialDelay(base=1.0), None),
    "temporary": ({408, 429, 480}, {408, 500, 502, 503, 504}, {408}),
    "temporary_hundreds": ({5, 6}, {6}, set()),
    "next_target": ({408, 503}, {408, 503}, {408, 503}),
    "forbidden_is_credentials": (True, False, False),
    "forbidden": (None, Counted(options=("forbidden_retry_interval", "fatal_retry_interval")), None),
    "grant_within_asked": (True, False, True),
    "auth": (SIPCORE_POLICY, ASTERISK_POLICY, JSSIP_POLICY),
    "tag_per_attempt": (False, True, True),
    "provisional_restarts_copies": (False, True, False),
    "reopens_connections": (True, False, False),
    "bare_aor": (True, False, True),
    "userless_request_uri": (True, False, True),
    "max_forwards_first": (True, False, True),
    "default_contact_user": (None, "s", None),
    "register_removes_first": (False, True, False),
    "failed_refresh_rejects": (False, True, True),
    "silence_rejects": (False, True, True),
    "assume_unlisted": (False, True, True),
    "zero_grant_is_asked": (False, True, False),
    "redirects": (True, False, False),
    "defaults": ({}, {"max_retries": 10, "max_random_initial_delay": 10}, {"expires": 600}),
}
"""Every cell once more. Somebody who changes one has to say so in two places and in docs/profiles.md."""


@pytest.mark.parametrize("row", [item.name for item in fields(Profile)])
def test_every_cell_is_as_written_down(row: str) -> None:
    assert tuple(getattr(profile, row) for profile in (SIPCORE, ASTERISK, JSSIP)) == CELLS[row]


@pytest.mark.parametrize(("option", "value"), [("name", "a\r\nb"), ("default_contact_user", "a@b")])
def test_a_text_of_a_profile_fits_its_slot(option: str, value: str) -> None:
    with pytest.raises(ConfigError, match=option):
        replace(SIPCORE, **{option: value})  # type: ignore[arg-type]  # which option it is, is what is tested
    assert replace(SIPCORE, name="my own, 2nd").name == "my own, 2nd"


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_profile_shows_its_name_only(profile: Profile) -> None:
    assert repr(profile) == f"<profile {profile.name}>"


@every
def test_every_class_that_ends_an_attempt_has_a_rule(profile: Profile) -> None:
    """SUCCESS has the refresh rule; all others either continue or are in `retries`."""
    assert set(profile.retries) == set(OutcomeClass) - CONTINUING - {OutcomeClass.SUCCESS}
    for rule in (*profile.retries.values(), profile.forbidden):
        assert rule is None or isinstance(rule, Backoff | Doubling | Counted | Give)
    assert isinstance(profile.refresh, ShareLead | FixedLead | JsSipLead)


@every
def test_the_numbers_make_sense(profile: Profile) -> None:
    assert 0 < profile.challenge.answers <= MAX_UNTRIED_CREDENTIALS
    assert 0 < profile.challenge.without_stale <= profile.challenge.answers
    assert profile.too_brief.guess in ("double", "3601", "refuse")
    assert profile.too_brief.floor > 0
    # A success or a challenge is never a reason to go elsewhere, and each of these codes is an answer.
    assert profile.next_target <= {408, 500, 503, 504}
    assert all(300 <= code < 700 for code in profile.temporary)
    assert profile.temporary_hundreds <= {3, 4, 5, 6}
    assert not profile.temporary & {401, 407, 423}
    if profile.retry_after is not None:
        assert profile.retry_after.jitter >= 0
        assert profile.retry_after.cap is None or profile.retry_after.cap >= MIN_ATTEMPT_GAP
    for rule in profile.retries.values():
        if isinstance(rule, Doubling):
            assert MIN_ATTEMPT_GAP <= rule.first <= rule.ceiling
        elif isinstance(rule, Backoff):
            assert MIN_ATTEMPT_GAP <= rule.base <= rule.ceiling
            assert rule.standing_ceiling >= MIN_ATTEMPT_GAP


@every
def test_what_a_profile_names_exists(profile: Profile) -> None:
    options = {item.name for item in fields(Account)}
    assert set(profile.defaults) <= options
    for rule in (*profile.retries.values(), profile.forbidden):
        if isinstance(rule, Counted):
            assert set(rule.options) <= options


@every
def test_a_default_of_a_profile_is_one_that_can_be_chosen_otherwise(profile: Profile) -> None:
    """The account's own default must be None, so that what was given can be told from what was not."""
    standards = {item.name: item.default for item in fields(Account)}
    assert all(standards[option] is None for option in profile.defaults)


@every
def test_tables_cannot_be_changed(profile: Profile) -> None:
    with pytest.raises(TypeError):
        profile.retries[OutcomeClass.TEMPORARY] = Give()  # type: ignore[index]  # that it cannot be is what is tested
    with pytest.raises(TypeError):
        profile.defaults["expires"] = 1  # type: ignore[index]  # that it cannot be is what is tested
    with pytest.raises(TypeError):
        PROFILES["X"] = profile  # type: ignore[index]  # that it cannot be is what is tested


def test_a_profile_of_ones_own_is_made_by_replacing_cells() -> None:
    own = replace(SIPCORE, name="OWN", refresh=FixedLead(lead=1.0))
    account = Account("sip:alice@example.com", profile=own)
    assert account.profile.refresh == FixedLead(lead=1.0)
    assert own != SIPCORE


def test_nobody_asks_which_profile_it_is() -> None:
    """Decisions read the tables; a comparison with a profile or its name would be a rule outside them."""
    found = []
    package = Path(sipcore.__file__).parent
    for path in package.rglob("*.py"):
        # Recordings and files of ours name a profile of the tables, and nothing is decided by it.
        if path.name == "profiles.py" or {"testing", "replay", "native"} & set(path.parts):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                text = ast.unparse(node)
                if any(name in text for name in ("profile.name", *PROFILES)):
                    found.append(f"{path.name}:{node.lineno}: {text}")
    assert found == []
