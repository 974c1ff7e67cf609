"""Under which address the outside reaches us: what Contact and Via say behind a NAT that the configuration knows of."""

from __future__ import annotations

from sipcore.config import Transport
from sipcore.values import Address, is_within

__all__ = ["advertised"]


def advertised(transport: Transport, local: Address, remote: Address) -> Address:
    """What to write towards `remote` in place of the address `local`; the host may be a name.

    The same for Contact and for Via, which is what an answer and an inbound request are told apart by.
    """
    host = transport.external_signaling_hostname or transport.external_signaling_address
    if host is None or any(is_within(remote[0], network) for network in transport.local_net):
        return local
    return host, transport.external_signaling_port or local[1]
