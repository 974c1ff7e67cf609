"""What to ask for after a 423 (RFC 3261 section 10.2.8)."""

from __future__ import annotations

from sipcore.profiles import TooBriefRule

__all__ = ["MAX_MIN_EXPIRES", "raised_expires"]

MAX_MIN_EXPIRES = 7 * 86400
"""Seconds; a registrar that insists on more than a week is not believed: the binding would outlive its device."""

GUESS = 3601
"""What Asterisk asks for when a 423 brings no Min-Expires: RFC 3261 section 10.3 lets no registrar refuse an hour."""


def raised_expires(rule: TooBriefRule, *, asked: int, minimum: int | None, guessed: bool) -> int:
    """The lifetime to ask for next; 0 when there is none that was not refused already.

    What is asked for only grows, so that no sequence of answers makes a loop. Without a Min-Expires that can be read
    the rule's guess is made, once in an attempt.
    """
    if minimum is not None:
        minimum = max(minimum, rule.floor)
        return minimum if asked < minimum <= MAX_MIN_EXPIRES else 0
    if guessed:
        return 0
    if rule.guess == "double":
        return min(asked * 2, MAX_MIN_EXPIRES) if asked < MAX_MIN_EXPIRES else 0
    if rule.guess == "3601":
        return GUESS if asked < GUESS else 0
    return 0
