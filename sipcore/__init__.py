"""sipcore: a SIP registration engine. This package is the pure core: no I/O, no clock, no randomness of its own.

Most applications use a driver (`sipcore_trio`, `sipcore_asyncio`, `sipcore_sync`); `UserAgent` and `Registrar` are for
those who bring their own.
"""

from __future__ import annotations

from sipcore.agent import UserAgent
from sipcore.commands import CloseFlow, CloseListener, Command, Listen, OpenFlow, Record, Remember, Resolve, Transmit
from sipcore.config import Account, Credential, Timing, Transport
from sipcore.errors import (
    ConfigError,
    LimitExceeded,
    LocalProtocolError,
    RegistrationFailed,
    RemoteProtocolError,
    SipError,
)
from sipcore.events import (
    Event,
    FlowLost,
    InboundRequest,
    InboundResponse,
    ListenFailed,
    Listening,
    MessageDropped,
    Registered,
    Rejected,
    StatusChanged,
    Unregistered,
)
from sipcore.profiles import ASTERISK, JSSIP, PROFILES, SIPCORE, Profile
from sipcore.registrar import RegistrarPolicy
from sipcore.server import Registrar
from sipcore.values import (
    Address,
    Binding,
    Cause,
    OutcomeClass,
    Phase,
    Protocol,
    RecordKind,
    Secret,
    SocketOptions,
    State,
    Status,
)

__all__ = [
    "ASTERISK",
    "JSSIP",
    "PROFILES",
    "SIPCORE",
    "Account",
    "Address",
    "Binding",
    "Cause",
    "CloseFlow",
    "CloseListener",
    "Command",
    "ConfigError",
    "Credential",
    "Event",
    "FlowLost",
    "InboundRequest",
    "InboundResponse",
    "LimitExceeded",
    "Listen",
    "ListenFailed",
    "Listening",
    "LocalProtocolError",
    "MessageDropped",
    "OpenFlow",
    "OutcomeClass",
    "Phase",
    "Profile",
    "Protocol",
    "Record",
    "RecordKind",
    "Registered",
    "Registrar",
    "RegistrarPolicy",
    "RegistrationFailed",
    "Rejected",
    "Remember",
    "RemoteProtocolError",
    "Resolve",
    "Secret",
    "SipError",
    "SocketOptions",
    "State",
    "Status",
    "StatusChanged",
    "Timing",
    "Transmit",
    "Transport",
    "Unregistered",
    "UserAgent",
]
