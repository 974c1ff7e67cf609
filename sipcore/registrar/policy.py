"""What a registrar grants, to whom, and how it challenges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipcore.auth.hashing import Algorithm
from sipcore.config import MAX_EXPIRES, Timing
from sipcore.errors import ConfigError
from sipcore.syntax import slots
from sipcore.syntax.limits import MAX_CONTACTS
from sipcore.syntax.slots import SlotTable, fill

__all__ = ["POLICY_SLOTS", "RegistrarPolicy"]

_TIMING: Final = Timing()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrarPolicy:
    """The rules of one registrar. Raises `ConfigError` when a value cannot be used."""

    realm: str | None = None
    """What is protected, as challenges name it; None takes the first domain (RFC 3261 section 22.1), or `localhost`."""
    domains: tuple[str, ...] | None = None
    """The hosts of the addresses of record that are served; None serves any."""
    require_authentication: bool = True
    """False takes everybody's word."""
    algorithms: tuple[Algorithm, ...] = (Algorithm.SHA_256, Algorithm.MD5)
    """The digest algorithms that are offered, most preferred first (RFC 8760 section 2.3)."""
    nonce_lifetime: float = 3600.0
    """Seconds for which a nonce can be answered."""
    one_time_nonces: bool = False
    """For tests of clients: a nonce is good for one request, the next gets 401 with stale=true."""
    authentication_info: bool = False
    """Prove to the client that we know the password, too, in each 2xx (RFC 7616 section 3.5)."""
    min_expires: int = 60
    """Seconds: less is refused with 423 (RFC 3261 section 10.3 step 7)."""
    max_expires: int = 3600
    """Seconds: more is granted as this."""
    default_expires: int = 3600
    """Seconds: granted when nothing is asked for."""
    max_contacts: int = 10
    """Bindings of one address of record; a request that would make more gets 403 and changes nothing."""
    server: str = ""
    """The Server header; empty leaves it out (RFC 3261 section 20.35)."""
    timing: Timing = _TIMING
    """The transaction timers."""
    silent: bool = False
    """For tests of clients: read everything and answer nothing."""

    def __post_init__(self) -> None:
        for option, slot in POLICY_SLOTS.items():
            value = getattr(self, option)
            if value is not None:
                fill(option, slot, value)
        if self.domains is not None:
            object.__setattr__(self, "domains", tuple(domain.lower() for domain in self.domains))
        if self.realm is None:
            object.__setattr__(self, "realm", self.domains[0] if self.domains else "localhost")
        if not self.algorithms:
            raise ConfigError("algorithms", "", "at least one algorithm")
        if not 1 <= self.nonce_lifetime <= MAX_EXPIRES:
            raise ConfigError("nonce_lifetime", self.nonce_lifetime, f"seconds from 1 to {MAX_EXPIRES}")
        for option, lowest, highest in (
            ("min_expires", 1, MAX_EXPIRES),
            ("max_expires", self.min_expires, MAX_EXPIRES),
            ("default_expires", self.min_expires, self.max_expires),
            ("max_contacts", 1, MAX_CONTACTS),
        ):
            number = getattr(self, option)
            if isinstance(number, bool) or not isinstance(number, int) or not lowest <= number <= highest:
                raise ConfigError(option, number, f"a whole number from {lowest} to {highest}")


POLICY_SLOTS: SlotTable = {
    "realm": slots.quoted_text,
    "domains": slots.each(slots.host),
    "server": slots.header_value,
}
"""Which slot each text of a `RegistrarPolicy` fills."""
