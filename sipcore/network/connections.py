"""Flows towards targets: opened when needed, shared by all who go the same way.

UDP has one unconnected socket for each local address (and, when the system chooses the address, for each family). A
connection is shared by (transport, remote, server name). Transports that differ only in what is written share, too.
An accepted connection is never used for own requests.
"""

from __future__ import annotations

from sipcore.flows import Flow, FlowHost, FlowUser
from sipcore.network.targets import Target
from sipcore.values import Address

__all__ = ["Connections"]

_ANY_IPV4: Address = ("0.0.0.0", 0)
_ANY_IPV6: Address = ("::", 0)


class Connections:
    """The flows that one agent opened."""

    __slots__ = ("_by_key", "_host")

    def __init__(self, host: FlowHost) -> None:
        self._host = host
        self._by_key: dict[object, Flow] = {}

    def get(self, target: Target, user: FlowUser, *, until: float) -> Flow | None:
        """The open flow to a target; None when `user` has to wait for `on_flow_open` or `on_flow_failed`."""
        transport, remote, server_name = target
        ipv6 = ":" in remote[0]
        # Equal keys, equal flows: the tuples of both kinds cannot be equal, their lengths differ.
        key: tuple[object, ...]
        key = (transport.socket, remote, server_name) if transport.protocol.reliable else (transport.socket, ipv6)
        flow = self._by_key.get(key)
        if flow is None:
            if transport.protocol.reliable:
                # A listening transport owns its port; its connections leave from ports of the system's choice.
                local = (transport.local[0], 0) if transport.local is not None else None
                flow = self._open(key, target, local, remote, until)
            else:
                local = transport.local or (_ANY_IPV6 if ipv6 else _ANY_IPV4)
                flow = self._open(key, target, local, None, until)
        if flow.open:
            return flow
        flow.waiting.append(user)
        return None

    def forget(self, flow: Flow) -> None:
        """It ended; the next who goes that way opens another."""
        if flow.key is not None and self._by_key.get(flow.key) is flow:
            del self._by_key[flow.key]

    def renew(self) -> list[Flow]:
        """Have what follows open connections of its own; returns those that stand, for whoever still uses them."""
        streams = {key: flow for key, flow in self._by_key.items() if flow.reliable and flow.open}
        for key in streams:
            del self._by_key[key]
        return list(streams.values())

    def _open(self, key: object, target: Target, local: Address | None, remote: Address | None, until: float) -> Flow:
        flow = self._host.open_flow(
            target.transport.protocol,
            local=local,
            remote=remote,
            server_name=target.server_name,
            options=target.transport.options,
            until=until,
        )
        flow.key = key
        self._by_key[key] = flow
        return flow
