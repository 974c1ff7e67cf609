"""The limits of the room in numbers: whoever changes one has to mean it."""

from __future__ import annotations

from random import Random

from sipcore.auth import Challenge, InfoResult, Order, Verdict
from sipcore.auth.client import MAX_SESSIONS, REUSE_FAILURES, AuthVerdict
from sipcore.auth.digest import CNONCE_BITS, MAX_NC
from sipcore.auth.nonces import KEY_BITS, MAX_TRACKED, TAG_BYTES, WORN_OUT, Nonces


def test_what_is_kept_and_tried_is_bounded() -> None:
    assert (MAX_SESSIONS, REUSE_FAILURES, MAX_TRACKED) == (4, 2, 65536)


def test_secrets_are_as_long_as_a_guess_is_hopeless() -> None:
    assert (CNONCE_BITS, KEY_BITS, TAG_BYTES) == (128, 256, 16)
    assert Nonces(Random(1), lifetime=1.0).issue(0.0)[32:] == "1.0"


def test_a_count_has_eight_hex_digits_and_none_is_more_than_worn_out() -> None:
    assert f"{MAX_NC:x}" == "f" * 8
    assert WORN_OUT == MAX_NC + 1


def test_what_a_challenge_does_not_say_is_not_there() -> None:
    assert Challenge("Digest") == (
        "Digest", "", "", None, None, (), False, False, None, False, None, ()
    )
    assert Challenge("Digest").digest
    assert not Challenge("Basic").digest


def test_a_verdict_is_bare_unless_something_is_to_be_said() -> None:
    assert AuthVerdict(Verdict.NEW) == (Verdict.NEW, "", False, False)
    assert [AuthVerdict(kind).new for kind in Verdict] == [kind is Verdict.NEW for kind in Verdict]


def test_verdicts_and_results_have_one_word_each() -> None:
    assert [kind.value for kind in Verdict] == ["new", "exhausted", "unusable", "none"]
    assert [result.value for result in InfoResult] == ["absent", "ok", "wrong"]
    assert ", ".join(Order) == "strongest, server"
