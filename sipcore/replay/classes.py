"""The closed tables of what a recording can hold: which classes, which of their attributes, and of what type.

A file may come from a stranger, so nothing is imported or looked up by a name in it: what is not in these tables is
neither written nor made. `MACHINES` are the objects that change and refer to each other; of them every attribute is
listed with its type, which decides how it is copied, written, read and checked (`shapes`). `VALUES` never change and
are written where they stand.

A class or an attribute that is new in the core has to be added here; a test says so, and so does recording.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from sipcore.agent import UserAgent
from sipcore.auth.challenge import Challenge
from sipcore.auth.client import ClientAuth
from sipcore.auth.credentials import Credential
from sipcore.auth.digest import DigestSession
from sipcore.auth.hashing import Algorithm
from sipcore.auth.policy import AuthPolicy, Order
from sipcore.commands import CloseFlow, CloseListener, Command, Listen, OpenFlow, Record, Remember, Resolve, Transmit
from sipcore.config import Account, Timing, Transport
from sipcore.endpoint import Listener
from sipcore.errors import LimitExceeded, RemoteProtocolError
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
from sipcore.exchange.exchange import Exchange
from sipcore.exchange.exchange import Step as Hop
from sipcore.flows import Flow, Pinger
from sipcore.inbound.inbound import Inbound, StatelessTags
from sipcore.network.connections import Connections
from sipcore.network.idle import IdleConnections
from sipcore.network.network import Network
from sipcore.network.pacing import Lane, Pacer
from sipcore.network.resolver import Resolver, _Query
from sipcore.network.targets import Target, TargetSearch
from sipcore.profiles import (
    Backoff,
    ChallengeRule,
    Counted,
    Doubling,
    FixedLead,
    Give,
    InitialDelay,
    JsSipLead,
    Profile,
    RetryAfterRule,
    ShareLead,
    TooBriefRule,
)
from sipcore.registration.attempt import Attempt
from sipcore.registration.binding import Grant, Listed
from sipcore.registration.machine import Registration
from sipcore.registration.memory import Kept
from sipcore.registration.request import Texts
from sipcore.registration.table import Wanted
from sipcore.syntax.framing import StreamFramer
from sipcore.syntax.headers import CSeq
from sipcore.syntax.message import Request
from sipcore.syntax.uri import Uri
from sipcore.timers import Timers
from sipcore.transaction.client import ClientTransaction, ClientTransactions
from sipcore.transaction.client import State as ClientState
from sipcore.transaction.server import ServerState, ServerTransaction, ServerTransactions
from sipcore.values import (
    Address,
    Binding,
    Cause,
    OutcomeClass,
    Phase,
    Protocol,
    RecordKind,
    SocketOptions,
    State,
    Status,
)

__all__ = ["ENUMS", "ERRORS", "MACHINES", "PARTS", "REBUILT", "STEADY", "VALUES", "Steps"]


class Steps(Enum):
    """Stands for the type of `ServerTransaction.steps`, which is one of two tables."""

    INVITE = "INVITE"
    NON_INVITE = "NON_INVITE"


_Timed: Final[dict[str, Any]] = {"due": float | None, "due_key": int}
"""What everything has that waits for time."""

_Key = tuple[object, ...]

MACHINES: Final[dict[type, dict[str, Any]]] = {
    UserAgent: {
        "timers": Timers,
        "now": float,
        "_outputs": deque[Command | Event | tuple[str, Address | None]],
        "_drops": dict[tuple[str, Address | None], list[int | None]],
        "flows": dict[int, Flow],
        "_accepted": dict[int, None],
        "listeners": dict[int, Listener],
        "_last_flow": int,
        "_last_listener": int,
        "_registrations": dict[str, Registration],
        "_leaving": dict[Registration, None],
        "_former": dict[str, list[Registration]],
        "_lines": dict[str, Registration],
        "_texts": dict[object, Texts],
        "_listeners": dict[_Key, Listener],
        "_by_contact": dict[str, str | None] | None,
        "_snapshot": dict[str, tuple[Mapping[str, object], float, float]],
        "_remembers": bool,
        "_closing": bool,
        "network": Network,
        "inbound": Inbound,
        "handles": frozenset[str],
        "allowed": str,
    },
    Timers: {"_key": int},
    Flow: {
        **_Timed,
        "framer": StreamFramer | None,
        "heard_at": float,
        "host": UserAgent,
        "id": int,
        "keepalives": int,
        "keepalives_since": float,
        "key": object,
        "listener": int | None,
        "local": Address | None,
        "open": bool,
        "pinger": Pinger | None,
        "protocol": Protocol,
        "reliable": bool,
        "remote": Address | None,
        "sent_at": float,
        "users": set[str],
        "waiting": list[Exchange],
    },
    Pinger: {**_Timed, "flow": Flow},
    StreamFramer: {
        "_accepted": bool,
        "_buffer": bytearray,
        "_error": RemoteProtocolError | None,
        "_odd": bool,
        "_rejected": bytes,
        "_scanned": int,
        "_total": int,
    },
    Listener: {"id": int, "local": Address, "protocol": Protocol, "ready": bool},
    Registration: {
        **_Timed,
        "account": Account,
        "again": bool,
        "aor": str,
        "auth": ClientAuth,
        "bound": str | None,
        "call_id": str,
        "cause": Cause | None,
        "contact": str,
        "contact_address": Address | None,
        "cseq": int,
        "everything": bool,
        "exchange": Exchange | None,
        "expires": int,
        "expires_at": float | None,
        "failed_kind": OutcomeClass | None,
        "failures": int,
        "failures_while_bound": int,
        "flow": int | None,
        "flow_losses": int,
        "home": Address | None,
        "host": UserAgent,
        "kept": Kept | None,
        "line": str,
        "listed_at": float,
        "others": tuple[Listed, ...],
        "phase": Phase,
        "planned_at": float | None,
        "proven": bool,
        "removals_failed": int,
        "remove_first": bool,
        "replaced": bool,
        "resume_at": float | None,
        "retries": int,
        "same_class": int,
        "server": Address | None,
        "since": float,
        "started_at": float,
        "state": State,
        "stopped": bool,
        "successor": str | None,
        "tag": str,
        "texts": Texts,
        "transport": Protocol | None,
        "unconfirmed": tuple[str, ...],
        "unconfirmed_until": float,
        "wanted": Wanted,
    },
    # Never changes, but a thousand registrations may share one.
    Texts: {
        "allow": str,
        "hop": Hop,
        "names": tuple[str, ...],
        "request_uri": str,
        "routes": str,
        "rport": str,
        "tail": str,
    },
    ClientAuth: {"_reuse_failures": int, "_sessions": tuple[DigestSession, ...]},
    DigestSession: {
        "_algorithm_text": str,
        "_head": str,
        "_opaque_text": str,
        "adopted": bool,
        "algorithm": Algorithm,
        "challenge": Challenge,
        "cnonce": str,
        "credential": Credential,
        "nc": int,
        "nonce": str,
        "proven": bool,
        "qop": str | None,
        "sent": bool,
        "userhash": bool,
    },
    Attempt: {
        "_answering": bool,
        "_answers": int,
        "_answers_without_stale": int,
        "_auth": ClientAuth,
        "_guessed": bool,
        "_next_uri": Uri | None,
        "_redirects": int,
        "_request_uri": str | None,
        "_tried": set[str],
        "asked": int,
        "credentials_sent": bool,
        "everything": bool,
        "grant": Grant | None,
        "registration": Registration,
        "removal": bool,
    },
    Exchange: {
        "answered": Flow | None,
        "any_source": bool,
        "contact_address": Address,
        "due": float,
        "flow": Flow | None,
        "lane": Lane | None,
        "network": Network,
        "over": bool,
        "refresh": bool,
        "requests": int,
        "sent_at": float,
        "sent_by": str,
        "target": Target | None,
        "targets": list[Target],
        "timing": Timing,
        "transaction": ClientTransaction | None,
        "user": Attempt,
    },
    Network: {
        "connections": Connections,
        "host": UserAgent,
        "idle": IdleConnections,
        "listening": dict[_Key, Address],
        "pacer": Pacer,
        "resolver": Resolver,
        "transactions": ClientTransactions,
    },
    Connections: {"_by_key": dict[object, Flow], "_host": UserAgent},
    IdleConnections: {
        **_Timed,
        "_connections": Connections,
        "_host": UserAgent,
        "_pacer": Pacer,
        "_since": dict[Flow, float],
        "_transactions": ClientTransactions,
    },
    Pacer: {"_lanes": dict[tuple[int, Address], Lane], "_sweep_at": int},
    Lane: {"young": int, "_waiting": list[tuple[int, float, int, Exchange]], "_order": int},
    Resolver: {
        "_cache": dict[tuple[str, RecordKind], tuple[float, tuple[str, ...]]],
        "_host": UserAgent,
        "_last": int,
        "_open": dict[tuple[str, RecordKind], _Query],
        "_queries": dict[int, _Query],
    },
    _Query: {
        **_Timed,
        "askers": list[TargetSearch | Exchange],
        "keep": bool,
        "kind": RecordKind,
        "name": str,
        "number": int,
        "resolver": Resolver,
    },
    TargetSearch: {
        "_addresses": dict[RecordKind, tuple[str, ...]],
        "_error": str | None,
        "_pending": set[RecordKind],
        "_port": int,
        "_transport": Transport,
        "_uri_host": str,
        "_user": Exchange,
    },
    # By branch first: that has an order, and the sets of those that wait for an answer have none.
    ClientTransactions: {
        "_by_branch": dict[str, ClientTransaction],
        "_open": dict[int, dict[Address, set[ClientTransaction]]],
        "host": UserAgent,
    },
    ClientTransaction: {
        **_Timed,
        "aged": bool,
        "any_source": bool,
        "branch": str,
        "call_id": str,
        "cseq": str,
        "expires_at": float,
        "flow": Flow,
        "from_value": str,
        "interval": float,
        "next_copy": float,
        "remote": Address,
        "request": bytes,
        "sent_by": str,
        "started_at": float,
        "state": ClientState,
        "t2": float,
        "t4": float,
        "table": ClientTransactions,
        "to_value": str,
        "user": Exchange | None,
    },
    Inbound: {
        "_extensions": tuple[str, ...],
        "_handles": frozenset[str],
        "_host": UserAgent,
        "_tags": StatelessTags,
        "_transactions": ServerTransactions,
    },
    StatelessTags: {"_key": bytes},
    ServerTransactions: {
        **_Timed,
        "_by_identity": dict[_Key, ServerTransaction],
        "_by_key": dict[_Key, ServerTransaction],
        "_bytes": int,
        "_completed": deque[tuple[float, ServerTransaction]],
        "_j": float,
        "_slowed_down": float,
        "host": UserAgent,
    },
    ServerTransaction: {
        **_Timed,
        "_key": _Key,
        "_table": ServerTransactions,
        "_trying_at": float | None,
        "_wait_until": float,
        "flow": Flow,
        "identity": _Key | None,
        "remote": Address | None,
        "request": Request | None,
        "response": bytes,
        "size": int,
        "source": Address | None,
        "state": ServerState,
        "status": int,
        "steps": Steps,
        "to_tag": str | None,
    },
}
"""What changes: class -> attribute -> type."""

STEADY: Final[dict[type, frozenset[str]]] = {
    # What tells that something else has changed: the attributes that the application, a clock or a flow changes alone,
    # and those without which no request is sent and no answer taken.
    Registration: frozenset(
        "aor auth call_id contact failed_kind failures_while_bound flow_losses home host line listed_at others proven "
        "replaced retries same_class server since started_at stopped tag texts transport unconfirmed".split()
    ),
    DigestSession: frozenset(
        "_algorithm_text _head _opaque_text adopted algorithm cnonce credential qop userhash".split()
    ),
}
"""Attributes that never change unless another one, which is not in this list, changes with them: an image takes them
from the one before where none of those has. The tests compare with images that were taken from nothing."""

REBUILT: Final[dict[type, frozenset[str]]] = {
    # The application's own, as the random numbers are: what it said is noted.
    UserAgent: frozenset({"random", "identify"}),
    # All that is due says so itself; what lies dead in the heap has no effect.
    Timers: frozenset({"_heap", "_dead"}),
    # Hashes of the password.
    DigestSession: frozenset({"_ha1", "_key"}),
    Inbound: frozenset({"_by_contact", "_by_line", "_endpoint_of"}),
    # Its keys are addresses in memory.
    ServerTransactions: frozenset({"_open"}),
}
"""Attributes that are not in an image, since they are worked out from the rest when an agent is made from it."""

PARTS: Final[tuple[type, ...]] = (Request, Profile)
"""Values that are known by identity and not by what they say, so they are numbered like machines."""

VALUES: Final[dict[str, type]] = {
    cls.__name__: cls
    for cls in (
        *(Account, Timing, Transport, Credential, Challenge, AuthPolicy, Uri, CSeq, Target, Listed, Grant, Record),
        *(Cause, Binding, SocketOptions, Status),
        *(Resolve, Listen, CloseListener, OpenFlow, Transmit, CloseFlow, Remember, Kept),
        *(FlowLost, InboundRequest, InboundResponse, ListenFailed, Listening, MessageDropped),
        *(Registered, Rejected, StatusChanged, Unregistered),
        *(ShareLead, FixedLead, JsSipLead, Backoff, Doubling, Counted, Give),
        *(ChallengeRule, TooBriefRule, RetryAfterRule, InitialDelay),
    )
} | {"Hop": Hop}
"""What never changes: frozen dataclasses and named tuples."""

ERRORS: Final[dict[str, type[RemoteProtocolError]]] = {
    "RemoteProtocolError": RemoteProtocolError,
    "LimitExceeded": LimitExceeded,
}
"""Why a stream died, as its framer remembers it."""

ENUMS: Final[dict[str, type[Enum]]] = {
    **{
        cls.__name__: cls
        for cls in (Algorithm, Order, OutcomeClass, Phase, Protocol, RecordKind, ServerState, State, Steps, Wanted)
    },
    "ClientState": ClientState,
}
