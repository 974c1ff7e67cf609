"""The inputs of a `UserAgent`: what can be recorded, and be played back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["INPUTS", "Parameters"]


class Parameters(NamedTuple):
    """What an input takes besides `now`."""

    positional: tuple[str, ...] = ()
    named: tuple[str, ...] = ()


INPUTS: Final[Mapping[str, Parameters]] = {
    "add": Parameters(("account",)),
    "register": Parameters(("name",)),
    "unregister": Parameters(("name",), ("all",)),
    "remove": Parameters(("name",)),
    "reload": Parameters(("accounts",)),
    "close": Parameters((), ("unregister",)),
    "remove_orphans": Parameters(),
    "respond": Parameters(("request", "status", "reason"), ("headers", "body")),
    "send_raw": Parameters(("flow", "data", "remote")),
    "resolved": Parameters(("query", "records")),
    "resolve_failed": Parameters(("query", "error")),
    "network_changed": Parameters(),
    "listening": Parameters(("listener", "local")),
    "listen_failed": Parameters(("listener", "error")),
    "flow_accepted": Parameters(("listener", "local", "remote")),
    "flow_opened": Parameters(("flow", "local", "remote")),
    "flow_closed": Parameters(("flow", "error")),
    "transmit_failed": Parameters(("flow", "remote", "error")),
    "receive": Parameters(("flow", "data", "source")),
    "handle_deadline": Parameters(),
    # Changes nothing but the agent's clock.
    "snapshot": Parameters((), ("wall",)),
}
"""All of them."""
