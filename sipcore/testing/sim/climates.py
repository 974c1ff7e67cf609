"""The kinds of life that can be simulated, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["CLIMATES", "Climate"]


class Climate(NamedTuple):
    """What the plans of one kind have in common."""

    faults: str
    """"none", or "swarm": each life draws which faults are on, and a third of them have none."""
    loss: tuple[float, float] = (0.0, 0.0)
    """Bounds of the loss each way, all the time."""
    hostile: bool = False
    """Somebody on the path changes and repeats what he sees."""
    days: float = 40.0
    """The length of a life."""
    short_lives: float = 0.05
    """The share of lives with lifetimes of minutes, which are forty times shorter."""
    profile: str = ""
    """The profile of all accounts; empty draws one for each."""
    protocol: str = ""
    """The transport protocol of all accounts; empty draws one for each."""


CLIMATES: Mapping[str, Climate] = MappingProxyType(
    {
        "swarm": Climate("swarm"),
        "calm": Climate("none"),
        "loss30": Climate("none", loss=(0.3, 0.3), short_lives=0.0, profile="SIPCORE", protocol="UDP"),
        "loss50": Climate("none", loss=(0.5, 0.5), short_lives=0.0, profile="SIPCORE", protocol="UDP"),
        "hostile": Climate("swarm", hostile=True, days=10.0),
    }
)
