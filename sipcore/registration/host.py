"""What a registration needs of the agent that keeps it, as an interface: the rooms below know no agent."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Protocol as Interface

from sipcore.config import Account
from sipcore.exchange import Outcome, Reply
from sipcore.network.network import Network
from sipcore.registration.kinds import ChallengeKind, RequestKind
from sipcore.registration.request import Texts

if TYPE_CHECKING:
    from sipcore.registration.machine import Registration

__all__ = ["RegistrationHost"]


class RegistrationHost(Interface):
    """What the agent does for its registrations."""

    network: Network

    def texts(self, account: Account) -> Texts:
        """What the account's requests do not change."""

    def line_token(self, registration: Registration) -> str:
        """A token for the `line` parameter, by which inbound requests are found, or nothing if there is to be none."""

    def contact_changed(self) -> None:
        """A registration has another Contact than before."""

    def left_flow(self, flow: int, name: str) -> None:
        """The registration's binding is no longer bound to a flow."""

    def keep_alive(self, flow: int, interval: float | None) -> None:
        """The registration's binding is on that flow, and wants a keep-alive after so many seconds; or none."""

    def emptied(self, registration: Registration, now: float) -> None:
        """A registration whose name another has removed all bindings of its address of record."""

    def stopped(self, registration: Registration, now: float) -> None:
        """A removed registration has nothing left to do."""

    def succeeded(self, registration: Registration, now: float) -> None:
        """A binding stands."""

    def on_register_sent(self, name: str, kind: RequestKind) -> None:
        """A REGISTER leaves."""

    def on_register_answered(self, name: str, reply: Reply, outcome: Outcome, seconds: float) -> None:
        """It was answered, or was not."""

    def on_challenge(self, name: str, kind: ChallengeKind) -> None:
        """The answer was a challenge."""

    def note(self, registration: Registration) -> None:
        """Something may have changed that has to survive the process; what comes next depends on its being stored."""
