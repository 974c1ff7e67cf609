"""The seven registrations that a live Asterisk was watched with (`data/`), and a view of them without an agent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from sipcore.config import Account, Credential, Transport
from sipcore.errors import LocalProtocolError
from sipcore.profiles import ASTERISK
from sipcore.settings import Written
from sipcore.values import Cause, OutcomeClass, Phase, Protocol, Secret, State, Status
from tests.secrecy import PASSWORD

__all__ = ["DATA", "LONG", "NOW", "FakeView", "account", "sections", "status"]

DATA: Final = Path(__file__).with_name("data")

NOW: Final = 1000.25

LONG: Final = "a-very-long-registration-name-that-does-not-fit-the-column"

TRANSPORT: Final = Transport(protocol=Protocol.UDP, local=("127.0.0.1", 16400))

REFUSED: Final = Cause(kind=OutcomeClass.CREDENTIALS, code=403, reason="Forbidden")

_OPTIONS: Final[dict[str, dict[str, object]]] = {
    "good": {"registrar": "sip:127.0.0.1:5080", "expires": 60, "contact_user": "good"},
    "open": {"registrar": "sip:127.0.0.1:5081", "expires": 60},
    "rejected": {"registrar": "sip:127.0.0.1:16401", "retry_interval": 30, "forbidden_retry_interval": 30},
    "stopped": {"registrar": "sip:127.0.0.1:16401", "max_retries": 3},
    "busy": {"registrar": "sip:127.0.0.1:16402", "retry_interval": 30},
    "silent": {"registrar": "sip:127.0.0.1:16403", "retry_interval": 30},
    LONG: {"registrar": "sip:127.0.0.1:5080", "expires": 120},
}

_T = TypeVar("_T")

_STATES: Final = {
    LONG: (State.REGISTERED, 107),
    "busy": (State.REJECTED, 27),
    "good": (State.REGISTERED, 47),
    "open": (State.REGISTERED, 47),
    "rejected": (State.REJECTED, 27),
    "silent": (State.UNREGISTERED, None),
    "stopped": (State.REJECTED, None),
}
"""State, and seconds to the next attempt, when Asterisk was asked."""


def account(name: str, **options: object) -> Account:
    """One of them, or one more like them."""
    credentials = () if name == "open" else (Credential(username=name, password=Secret(PASSWORD)),)
    settings: dict[str, object] = {
        "name": name,
        "profile": ASTERISK,
        "credentials": credentials,
        "max_random_initial_delay": 0,
        "transport": TRANSPORT,
        **_OPTIONS.get(name, {}),
        **options,
    }
    return Account(f"sip:{name}@bars.invalid", **settings)  # type: ignore[arg-type]  # checked by Account itself


def status(name: str, state: State = State.REGISTERED, left: float | None = None) -> Status:
    """What is true of one."""
    return Status(
        name=name,
        state=state,
        phase=Phase.IDLE if left is None else Phase.WAITING,
        cause=REFUSED if state is State.REJECTED else Cause(detail="of the test"),
        server=None,
        transport=None,
        flow=None,
        attempt=0,
        since=NOW - 3.0,
        expires_at=None,
        next_attempt_at=None if left is None else NOW + left,
        bindings=(),
    )


def sections(file: str) -> dict[str, str]:
    """The outputs in a file of `data/` by their command; the first of a command counts."""
    found: dict[str, str] = {}
    for part in (DATA / file).read_text("utf-8").split("##### ")[1:]:
        head, _, text = part.partition("\n")
        found.setdefault(head.removeprefix("CLI> "), text)
    return found


class FakeView:
    """Answers as a daemon with these registrations would, and remembers what was asked for."""

    version = "1.2.3"
    started = NOW - 7384.0
    loaded = NOW - 60.0

    def __init__(self, names: tuple[str, ...] = tuple(_OPTIONS), *, native: bool = False) -> None:
        self.accounts = {name: account(name) for name in names}
        self.statuses = {name: status(name, *_STATES.get(name, (State.REGISTERED, 47.0))) for name in names}
        self.native = native
        self.starts: dict[str, float | None] = {}
        self.asked: list[tuple[str, str]] = []
        self.leaving: set[str] = set()

    def names(self) -> tuple[str, ...]:
        return tuple(self.accounts)

    def account(self, name: str) -> Account:
        return _find(self.accounts, name)

    def status(self, name: str) -> Status:
        return _find(self.statuses, name)

    def began(self, name: str) -> float | None:
        self.account(name)
        return self.starts.get(name)

    def written(self, name: str) -> Written | None:
        if self.native:
            return None
        return Written(transport="tr", outbound_auth=() if name == "open" else (f"{name}-auth",))

    def register(self, name: str) -> None:
        self.ask("register", name)

    def unregister(self, name: str) -> None:
        self.ask("unregister", name)

    def wall(self, moment: float) -> float:
        return moment + 1_700_000_000.0

    def local(self, moment: float) -> tuple[str, str]:
        return "2026-01-31", f"12:00:{moment % 60:02.0f}"

    def move(self, name: str, state: State, left: float | None = None) -> None:
        """It is in another state now."""
        self.statuses[name] = status(name, state, left)

    def change(self, name: str, **changes: object) -> None:
        self.statuses[name] = replace(self.statuses[name], **changes)  # type: ignore[arg-type]  # one field at a time

    def ask(self, command: str, name: str) -> None:
        self.account(name)
        if name in self.leaving:
            raise LocalProtocolError(f"the registration {name!r} is being removed")
        self.asked.append((command, name))


def _find(items: dict[str, _T], name: str) -> _T:
    if name not in items:
        raise LocalProtocolError(f"there is no registration {name!r}")
    return items[name]
