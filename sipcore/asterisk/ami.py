"""Asterisk's manager interface as a machine without I/O: bytes of one client in, bytes for it out.

Theory of operation. A `Manager` knows the users and holds what the sessions share: how many there are, who is logged
in, how many logins failed lately. `connect` makes an `AmiSession` for each client that came. A driver calls `receive`
with what arrives while the session is `hungry`, `handle_deadline` at `next_deadline`, and writes what `take` gives;
when `ended` is true and nothing is left to write it closes. `Manager.tell` gets the agent's events and hands them on as
`Registry` events.

One action is answered at a time, in order. A list is made while it is fetched, so that ten thousand registrations never
stand in memory as text. A reload is the driver's to do: `wants_reload` says so, `reloaded` is the answer, and until
then the session does nothing else. Before the login only Login, Challenge and Logoff are answered, and not for long. A
failed login is answered late, and then the session ends; after a few of them within a minute, later still. Who does not
read what is sent is dropped.
"""

from __future__ import annotations

import enum
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from hmac import compare_digest
from random import Random
from typing import Final

from sipcore.asterisk.ami_actions import ACTIONS, AMI_VERSION, AmiView, Reply, privilege
from sipcore.asterisk.ami_settings import CLASSES, ManagerSettings, ManagerUser
from sipcore.asterisk.ami_text import BlockReader, Message, block, response
from sipcore.asterisk.rendering import STATUS_WORDS
from sipcore.errors import LocalProtocolError
from sipcore.events import Event, Registered, Rejected, StatusChanged, Unregistered
from sipcore.syntax.grammar import visible
from sipcore.values import Secret

__all__ = ["AMI_VERSION", "MAX_BACKLOG", "MAX_SESSIONS", "AmiSession", "AmiView", "Manager"]

MAX_SESSIONS: Final = 32
"""At the same time; more are turned away."""

MAX_WAITING: Final = 16384
"""Bytes of further actions that are kept while one is being answered; past it nothing more is read."""

MAX_BACKLOG: Final = 1 << 20
"""Bytes that a client may leave unread; a listing is made as it is read and does not count."""

CHUNK: Final = 65536
"""Bytes that `take` makes of a listing at a time."""

FAILED_LOGIN_PAUSE: Final = 1.0
"""Seconds before a failed login is answered, as in Asterisk."""

FREE_FAILURES: Final = 3
"""Failed logins within `FAILURE_WINDOW` that cost no more than that; each further one doubles the pause."""

FAILURE_WINDOW: Final = 60.0

LONGEST_PAUSE: Final = 20.0
"""Seconds; less than the time to log in, so that a session which waits for its answer is not cut off."""

BEFORE_LOGIN: Final = frozenset({"login", "challenge", "logoff"})

_ALL: Final = frozenset(CLASSES)
_TRUE: Final = frozenset({"yes", "true", "y", "t", "on"})
_FALSE: Final = frozenset({"no", "false", "n", "f", "off"})
_NOBODY: Final = ManagerUser(name="", secret=Secret(""))


class Manager:
    """What all sessions share."""

    def __init__(self, settings: ManagerSettings, view: AmiView, *, random: Random) -> None:
        self.settings = settings
        self.view = view
        self.random = random
        """Challenges come from it: `random.SystemRandom()` in production."""
        self.sessions: dict[AmiSession, None] = {}
        self._failures: list[float] = []
        self._known: dict[str, tuple[str, str]] = {}
        """AOR and registrar of each name: who was removed is told of, too."""

    def connect(self, remote: str, *, now: float) -> AmiSession | None:
        """A client came from that address; None when it is to be turned away."""
        waiting = sum(session.user is None for session in self.sessions)
        if len(self.sessions) >= MAX_SESSIONS or waiting >= self.settings.auth_limit:
            return None
        session = AmiSession(self, remote, now)
        self.sessions[session] = None
        if not self._known:
            self.learn()
        return session

    def disconnected(self, session: AmiSession) -> None:
        """The client of a session is gone."""
        self.sessions.pop(session, None)

    def learn(self) -> None:
        """The configuration was read again: know what the registrations are."""
        for name in self.view.names():
            self._learn(name)

    def tell(self, event: Event, *, now: float) -> None:
        """The agent told something."""
        if not self.sessions:
            self._known.clear()
            return
        if isinstance(event, StatusChanged):
            self._learn(event.name)
        elif isinstance(event, Registered | Rejected | Unregistered):
            self._learn(event.name)
            self._registry(event, now)

    def pause(self, now: float) -> float:
        """A login failed: how long its answer waits."""
        self._failures = [moment for moment in self._failures if now - moment < FAILURE_WINDOW][-16:]
        self._failures.append(now)
        further = max(len(self._failures) - FREE_FAILURES, 0)
        return min(FAILED_LOGIN_PAUSE * 2.0**further, LONGEST_PAUSE)

    def accepted(self) -> None:
        """A login succeeded."""
        self._failures.clear()

    def event(self, name: str, category: str, fields: list[tuple[str, str]], now: float) -> bytes:
        """An event that is nobody's answer."""
        head = [("Event", name), ("Privilege", privilege((category,)))]
        if self.settings.timestamps:
            head.append(("Timestamp", f"{self.view.wall(now):.6f}"))
        return block([*head, *fields])

    def _learn(self, name: str) -> None:
        try:
            account = self.view.account(name)
        except LocalProtocolError:
            return
        self._known[name] = (account.aor, str(account.registrar))

    def _registry(self, event: Registered | Rejected | Unregistered, now: float) -> None:
        known = self._known.get(event.name)
        if known is None or "registry" in self.settings.disabled_events:
            return
        status = "Unregistered"
        planned: float | None = None
        try:
            current = self.view.status(event.name)
        except LocalProtocolError:
            del self._known[event.name]
        else:
            status, planned = STATUS_WORDS[current.state], current.next_attempt_at
        fields = [("ChannelType", "PJSIP"), ("Username", known[0]), ("Domain", known[1]), ("Status", status)]
        # What Asterisk's event has no place for: which registration it is, why, and what follows.
        fields.append(("Registration", event.name))
        if not isinstance(event, Registered):
            fields.append(("Cause", visible(str(event.cause))))
        if planned is not None:
            fields.append(("NextAttempt", f"{max(planned - now, 0.0):.0f}"))
        data = self.event("Registry", "system", fields, now)
        for session in tuple(self.sessions):
            session.event("system", data)


class _State(enum.Enum):
    OPEN = enum.auto()
    """Answers what comes."""
    LISTING = enum.auto()
    """A list is being fetched."""
    RELOADING = enum.auto()
    """Waits for the driver's reload."""
    REFUSING = enum.auto()
    """A login failed; the answer waits."""
    ENDED = enum.auto()


class AmiSession:
    """One client."""

    def __init__(self, manager: Manager, remote: str, now: float) -> None:
        self.manager = manager
        self.remote = remote
        """The client's address."""
        self.user: ManagerUser | None = None
        """Who is logged in."""
        self.wants_reload: tuple[str, ...] | None = None
        """The modules that the driver is to reload, all for an empty tuple; it then calls `reloaded`."""
        self.refused: str | None = None
        """The name of a login that failed, as the client wrote it."""
        self._state = _State.OPEN
        self._mask = _ALL
        self._challenge = ""
        self._reader = BlockReader()
        self._out = bytearray(f"Asterisk Call Manager/{AMI_VERSION}\r\n".encode())
        self._held = bytearray()
        self._deadline: float | None = now + manager.settings.auth_timeout
        self._reply = Reply()
        self._listing: Iterator[bytes] = iter(())
        self._late = b""

    # --- what the driver calls -------------------------------------------------------------------------------------

    @property
    def hungry(self) -> bool:
        """False while nothing more should be read from the client."""
        return self._state is not _State.ENDED and self._reader.waiting < MAX_WAITING

    @property
    def ended(self) -> bool:
        """True when the connection is to be closed after what `take` still gives."""
        return self._state is _State.ENDED

    def receive(self, data: bytes, *, now: float) -> None:
        """Bytes of the client, in any pieces."""
        if self._state in (_State.ENDED, _State.REFUSING):
            return
        self._reader.feed(data)
        self._work(now)

    def reloaded(self, error: str | None, *, now: float) -> None:
        """The reload is done; `error` says why it was refused."""
        if self._state is not _State.RELOADING:
            return
        self.wants_reload = None
        self._state = _State.OPEN
        assert self._reply.after is not None
        self._out += self._reply.after(error)
        self._reply = Reply()
        self._resume(now)

    def event(self, category: str, data: bytes) -> None:
        """Something to tell a client that wants events of that class."""
        if self.user is None or self._state is _State.ENDED:
            return
        if category in self.user.read and category in self._mask:
            # Not between the parts of a list, and not before the answer to a reload that caused it.
            (self._held if self._state in (_State.LISTING, _State.RELOADING) else self._out).extend(data)
            self._bound()

    def next_deadline(self) -> float | None:
        """When `handle_deadline` wants to be called."""
        return self._deadline

    def handle_deadline(self, *, now: float) -> None:
        """Time has passed; early or twice does no harm."""
        if self._deadline is None or now < self._deadline:
            return
        # Either the answer to a failed login is due, or the time to log in is over.
        self._out += self._late
        self._end()

    def take(self, *, now: float) -> bytes:
        """What is to be written next; empty when there is nothing at the moment."""
        while self._state is _State.LISTING and len(self._out) < CHUNK:
            piece = next(self._listing, None)
            if piece is None:
                self._state = _State.OPEN
                self._resume(now)
            else:
                self._out += piece
        data = bytes(self._out)
        self._out.clear()
        return data

    # --- inside ----------------------------------------------------------------------------------------------------

    def _resume(self, now: float) -> None:
        self._out += self._held
        self._held.clear()
        self._bound()
        self._work(now)

    def _work(self, now: float) -> None:
        while self._state is _State.OPEN:
            message = self._reader.next()
            if message is None:
                return
            self._act(message, now)
            self._bound()

    def _bound(self) -> None:
        if len(self._out) + len(self._held) > MAX_BACKLOG:
            self._out.clear()
            self._end()

    def _end(self) -> None:
        self._state = _State.ENDED
        self._deadline = None
        self._held.clear()
        self._listing = iter(())

    def _act(self, message: Message, now: float) -> None:
        if message.fault:
            self._out += response(message, "Error", message.fault)
            return
        name = message.action.lower()
        if not name:
            self._out += response(message, "Error", "Missing action in request")
            return
        if self.user is None and name not in BEFORE_LOGIN:
            self._out += response(message, "Error", "Permission denied")
            return
        action = ACTIONS.get(name)
        if action is None:
            shown = visible(message.action)
            text = f"Invalid/unknown command: {shown}. Use Action: ListCommands to show available commands."
            self._out += response(message, "Error", text)
        elif action.rights and (self.user is None or not self.user.write.intersection(action.rights)):
            self._out += response(message, "Error", "Permission denied")
        elif action.run is None:
            _OWN[name](self, message, now)
        else:
            self._follow(action.run(message, self.manager.view, now))

    def _follow(self, reply: Reply) -> None:
        self._out += reply.data
        if reply.listing is not None:
            self._listing = reply.listing
            self._state = _State.LISTING
        elif reply.reload is not None:
            self._reply = reply
            self.wants_reload = reply.reload
            self._state = _State.RELOADING

    def _make_challenge(self, message: Message, now: float) -> None:
        if message.get("authtype").lower() != "md5":
            self._out += response(message, "Error", "Must specify AuthType")
            return
        # Digits only, as in Asterisk.
        self._challenge = self._challenge or str(self.manager.random.getrandbits(62))
        self._out += response(message, "Success", fields=[("Challenge", self._challenge)])

    def _login(self, message: Message, now: float) -> None:
        if self.user is not None:
            self._out += response(message, "Success", "Already authenticated")
            return
        user, text = self._authenticate(message), "Authentication failed"
        if user is not None and not user.multiple and any(one.user is user for one in self.manager.sessions):
            user, text = None, "Login Already In Use"
        if user is None:
            self._state = _State.REFUSING
            self._deadline = now + self.manager.pause(now)
            self._late = response(message, "Error", text)
            self.refused = message.get("username")
            return
        self.user = user
        self._deadline = None
        self.manager.accepted()
        self._set_mask(message.get("events"))
        self._out += response(message, "Success", "Authentication accepted")
        if "system" in user.read & self._mask and "fullybooted" not in self.manager.settings.disabled_events:
            self._out += self._fully_booted(now)

    def _fully_booted(self, now: float) -> bytes:
        view = self.manager.view
        ages = {"Uptime": now - view.started, "LastReload": now - view.loaded}
        fields = [("Event", "FullyBooted"), ("Privilege", privilege(("system",)))]
        fields += [(name, str(math.floor(max(age, 0.0)))) for name, age in ages.items()]
        return block([*fields, ("Status", "Fully Booted")])

    def _authenticate(self, message: Message) -> ManagerUser | None:
        found = self.manager.settings.users.get(message.get("username").lower())
        user = _NOBODY if found is None else found
        challenge, self._challenge = self._challenge, ""
        if message.get("authtype").lower() == "md5":
            given = message.get("key")
            # One expression, so that no frame ever holds the secret.
            right = hashlib.md5((challenge + user.secret.reveal()).encode(), usedforsecurity=False).hexdigest()
            fits = compare_digest(right.encode(), given.encode("utf-8", "surrogateescape")) and challenge != ""
        else:
            fits = compare_digest(
                user.secret.reveal().encode("utf-8", "surrogateescape"),
                message.get("secret").encode("utf-8", "surrogateescape"),
            )
        return found if fits and found is not None and found.admits(self.remote) else None

    def _logoff(self, message: Message, now: float) -> None:
        self._out += response(message, "Goodbye", "Thanks for all the fish.")
        self._end()

    def _events(self, message: Message, now: float) -> None:
        known = self._set_mask(message.get("eventmask"))
        if not known:
            self._out += response(message, "Error", "Invalid event mask")
        else:
            self._out += response(message, "Success", fields=[("Events", "On" if self._mask else "Off")])

    def _list_commands(self, message: Message, now: float) -> None:
        write = self.user.write if self.user is not None else frozenset()
        fields = [
            (action.name, f"{action.synopsis} (Priv: {privilege(action.rights)})")
            for action in ACTIONS.values()
            if not action.rights or write.intersection(action.rights)
        ]
        self._out += response(message, "Success", fields=fields)

    def _set_mask(self, text: str) -> bool:
        """Which classes of events are wanted; False, and nothing changes, when that says nothing."""
        names = {name.strip() for name in text.lower().split(",")} - {""}
        if not names:
            return False
        number = text.strip()
        if number.isascii() and number.isdigit():
            # Bits, as in Asterisk, where the lowest is `system`; it is the only class that has events here.
            others = _ALL - {"system"} if number.strip("0") else frozenset[str]()
            self._mask = frozenset({"system"}) if number[-1] in "13579" else others
        elif names & _TRUE or "all" in names:
            self._mask = _ALL
        elif names <= _FALSE:
            self._mask = frozenset()
        else:
            self._mask = _ALL & names
        return True


_OWN: Final[Mapping[str, Callable[[AmiSession, Message, float], None]]] = {
    "challenge": AmiSession._make_challenge,
    "events": AmiSession._events,
    "listcommands": AmiSession._list_commands,
    "login": AmiSession._login,
    "logoff": AmiSession._logoff,
}
"""What a session answers out of its own state."""
