"""What a run is stopped with."""

from __future__ import annotations

__all__ = ["INVARIANTS", "BrokenInvariant"]

INVARIANTS = {
    1: "nothing is raised but what is documented",
    2: "registered is claimed only after a 2xx that says so, and never past its expiry",
    3: "on a good network both ends are registered in time, and agree about the expiry",
    4: "without a fault longer than the refresh margin the registrar always has a binding",
    5: "CSeq and nc rise, no branch is used again, one REGISTER of a registration is in flight",
    6: "sends are bounded: copies for each transaction, transactions in any stretch of time",
    7: "deadlines lie ahead, handle_deadline makes progress, and early or twice it changes nothing",
    8: "after close or Stopped the binding is removed at most, then there is silence",
    9: "memory is bounded, and at a quiet time what it was before",
    10: "events come in their documented order, and the same run gives the same trace",
    11: "no byte sent holds a secret, and every digest answer is right",
    12: "what somebody off the path sends changes nothing",
}
"""What must hold, by number."""


class BrokenInvariant(AssertionError):
    """One of the invariants does not hold."""

    def __init__(self, number: int, text: str, at: float) -> None:
        super().__init__(number, text, at)
        self.number = number
        self.text = text
        self.at = at

    def __str__(self) -> str:
        return f"invariant {self.number} ({INVARIANTS[self.number]}), at {self.at:.3f} s: {self.text}"
