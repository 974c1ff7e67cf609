"""One line of a run: what went into an agent, or what came out of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from sipcore.commands import Command
from sipcore.events import Event

__all__ = ["Draw", "NOTHING", "Named", "Step"]

Draw = tuple[str, int | float]
"""One random number: how it was drawn (`getrandbits:64`, `random`) and what came."""

Named = tuple[str | None, str | None]
"""An endpoint, and the name of the error when it could not be told."""

NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
"""No keywords."""


class Step(NamedTuple):
    """An input or an output of the recorded agent."""

    number: int
    """1, 2, ... within the recording."""
    now: float
    """The agent's clock in seconds; of an input the `now` it was given."""
    name: str
    """Of an input the method, such as `receive`; of an output the class, such as `Transmit`."""
    arguments: tuple[object, ...] = ()
    """What an input was given by position, as live values (`Account`, `Record`, bytes); secrets are replaced."""
    keywords: Mapping[str, object] = NOTHING
    """What it was given by name, without `now`."""
    output: Command | Event | None = None
    """None for an input."""
    random: tuple[Draw, ...] = ()
    """What was drawn while the input ran."""
    error: str | None = None
    """The text of the `LocalProtocolError` that the input raised."""
    proofs: tuple[str, ...] = ()
    """Of a `receive`, one word for each masked `rspauth` that ends in it: `right` or `wrong` (RFC 7616 section 3.5)."""
    endpoints: tuple[Named, ...] = ()
    """Of a `receive`, what `identify` said of each request that was handed over, where the agent had one."""

    @property
    def is_input(self) -> bool:
        """True for what was done to the agent, False for what it put out."""
        return self.output is None
