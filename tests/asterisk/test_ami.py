"""AMI: one session of a live Asterisk byte for byte, and everything that a client can do wrong."""

from __future__ import annotations

import hashlib
import re
from ast import literal_eval
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.asterisk.ami import MAX_BACKLOG, MAX_SESSIONS, AmiSession, Manager
from sipcore.asterisk.ami_actions import ACTIONS
from sipcore.asterisk.ami_settings import ManagerSettings, load_manager
from sipcore.asterisk.ami_text import MAX_HEADERS, MAX_LINE, BlockReader, Message, response
from sipcore.events import Registered, Rejected, StatusChanged, Unregistered
from sipcore.values import Cause, OutcomeClass, State
from tests.asterisk.console_view import DATA, LONG, NOW, FakeView
from tests.secrecy import PASSWORD, heard

BANNER = b"Asterisk Call Manager/11.0.0\r\n"

SETTINGS = load_manager(
    f"""
    [general]
    enabled = yes
    [bars]
    secret = bars
    read = all
    write = all
    [watcher]
    secret = {PASSWORD}
    read = system
    write = reporting
    [deaf]
    secret = {PASSWORD}
    write = command
    [once]
    secret = {PASSWORD}
    allowmultiplelogin = no
    [elsewhere]
    secret = {PASSWORD}
    deny = 0.0.0.0/0
    permit = 127.0.0.2/32
    """
)


class Client:
    """One session, with the time in hand; whatever it is sent is looked at for secrets."""

    def __init__(self, manager: Manager, remote: str = "127.0.0.1") -> None:
        self.now = NOW
        session = manager.connect(remote, now=self.now)
        assert session is not None
        self.session = session
        self.banner = self.take()

    def take(self) -> bytes:
        data = b""
        while chunk := self.session.take(now=self.now):
            data += chunk
        heard(data.decode("utf-8", "replace"), "what AMI sent")
        return data

    def send(self, *lines: str) -> str:
        self.session.receive("".join(f"{line}\r\n" for line in (*lines, "")).encode(), now=self.now)
        return self.take().decode()

    def login(self, user: str = "bars", secret: str | None = None, *more: str) -> str:
        given = secret if secret is not None else "bars" if user == "bars" else PASSWORD
        return self.send("Action: Login", f"Username: {user}", f"Secret: {given}", *more)


def manager(chosen: ManagerSettings = SETTINGS, view: FakeView | None = None, **changes: Any) -> Manager:
    return Manager(replace(chosen, **changes), view or FakeView(), random=Random(1))


@pytest.fixture
def view() -> FakeView:
    return FakeView()


@pytest.fixture
def client(view: FakeView) -> Client:
    """Logged in with all rights."""
    found = Client(manager(view=view))
    found.login("bars", None, "Events: off")
    return found


# --- the live session ------------------------------------------------------------------------------------------------


def requests() -> list[tuple[bytes, bytes]]:
    """What was sent, and what came before the next was."""
    found: list[tuple[bytes, bytes]] = [(b"", b"")]
    for line in (DATA / "ami.txt").read_text("ascii").splitlines():
        if line.startswith("> "):
            found.append((literal_eval(line[2:]), b""))
        elif line.startswith("< "):
            found[-1] = (found[-1][0], found[-1][1] + literal_eval(line[2:]))
    return found


def test_answers_a_session_as_asterisk_did(view: FakeView) -> None:
    """But for three things: no passwords, no events of class security, and `*all` forgets no registration."""
    for name in view.names():
        view.move(name, view.status(name).state)
    session = manager(view=view).connect("127.0.0.1", now=NOW)
    assert session is not None
    ours, theirs = session.take(now=NOW), b""
    *trace, (_, forgotten) = requests()
    assert forgotten.startswith(b"Response: Error")
    for request, answer in trace:
        theirs += answer
        session.receive(request, now=NOW)
        while data := session.take(now=NOW):
            ours += data
        if request.startswith(b"Action: PJSIPUnregister\r\nRegistration: good"):
            view.move("good", State.UNREGISTERED)
    theirs = re.sub(rb"Event: SuccessfulAuth\r\n(.+\r\n)+\r\n", b"", theirs)
    theirs = theirs.replace(b"Password: secret", b"Password: ***").replace(b"Uptime: 4", b"Uptime: 7384")
    theirs = theirs.replace(b"LastReload: 4", b"LastReload: 60")
    heard(ours.decode(), "what AMI sent")
    assert ours.split(b"\r\n") == theirs.split(b"\r\n")
    # The one that Asterisk had forgotten.
    session.receive(b"Action: PJSIPRegister\r\nRegistration: good\r\n\r\n", now=NOW)
    assert session.take(now=NOW) == b"Response: Success\r\nMessage: Reregistration sent\r\n\r\n"


# --- logging in ------------------------------------------------------------------------------------------------------


def test_the_banner_comes_first() -> None:
    client = Client(manager())
    assert client.banner == BANNER
    assert client.login("bars", "bars", "ActionID: 1").startswith(
        "Response: Success\r\nActionID: 1\r\nMessage: Authentication accepted\r\n\r\nEvent: FullyBooted\r\n"
    )
    assert client.login() == "Response: Success\r\nMessage: Already authenticated\r\n\r\n"


def test_users_are_found_without_case() -> None:
    assert "accepted" in Client(manager()).login("BARS", "bars")


@pytest.mark.parametrize("action", [action.name for action in ACTIONS.values()])
def test_before_the_login_nothing_else_is_answered(action: str) -> None:
    if action in ("Login", "Challenge", "Logoff"):
        return
    answer = Client(manager()).send(f"Action: {action}", "ActionID: x")
    assert answer == "Response: Error\r\nActionID: x\r\nMessage: Permission denied\r\n\r\n"


def test_a_challenge_instead_of_the_password() -> None:
    client = Client(manager())
    answer = client.send("Action: Challenge", "AuthType: md5", "ActionID: 7")
    found = re.fullmatch(r"Response: Success\r\nActionID: 7\r\nChallenge: (\d+)\r\n\r\n", answer)
    assert found
    key = hashlib.md5(f"{found[1]}{PASSWORD}".encode()).hexdigest()
    login = ("Action: Login", "AuthType: MD5", "Username: watcher")
    assert "Authentication accepted" in client.send(*login, f"Key: {key}")


def test_challenges_differ_and_one_login_uses_one_up() -> None:
    shared = manager()
    first, second = Client(shared), Client(shared)
    request = ("Action: Challenge", "AuthType: MD5")
    one = first.send(*request)
    assert one == first.send(*request)
    assert one != second.send(*request)
    key = hashlib.md5(PASSWORD.encode()).hexdigest()
    stranger = Client(shared)
    # Without a challenge the key of no challenge is no key.
    assert stranger.send("Action: Login", "AuthType: MD5", "Username: watcher", f"Key: {key}") == ""
    assert first.send("Action: Challenge") == "Response: Error\r\nMessage: Must specify AuthType\r\n\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        ("Username: bars", "Secret: wrong"),
        ("Username: bars",),
        ("Username: nobody", "Secret: bars"),
        ("Username: nobody", "Secret:"),
        ("Secret: bars",),
        (),
        ("Username: elsewhere", f"Secret: {PASSWORD}"),
        ("Username: bars", "Secret: bars", "AuthType: MD5", "Key: 0"),
    ],
)
def test_a_failed_login_is_answered_a_second_later_and_ends_the_session(lines: tuple[str, ...]) -> None:
    client = Client(manager())
    assert client.send("Action: Login", "ActionID: 3", *lines) == ""
    assert client.session.next_deadline() == NOW + 1.0
    # What comes meanwhile is not looked at.
    assert client.login() == ""
    client.session.handle_deadline(now=NOW + 0.999)
    assert client.take() == b""
    client.session.handle_deadline(now=NOW + 1.0)
    assert client.take() == b"Response: Error\r\nActionID: 3\r\nMessage: Authentication failed\r\n\r\n"
    assert client.session.ended


def test_an_address_that_is_permitted() -> None:
    assert "accepted" in Client(manager(), "127.0.0.2").login("elsewhere")


def test_after_three_failures_the_answer_takes_longer() -> None:
    shared = manager()
    waits = []
    for _ in range(9):
        client = Client(shared)
        client.login("bars", "wrong")
        waits.append((client.session.next_deadline() or 0) - NOW)
    assert waits == [1, 1, 1, 2, 4, 8, 16, 20, 20]
    Client(shared).login()
    client = Client(shared)
    client.login("bars", "wrong")
    assert client.session.next_deadline() == NOW + 1.0


def test_failures_are_forgotten_after_a_minute() -> None:
    shared = manager()
    assert [shared.pause(NOW + at) for at in (0.0, 1.0, 2.0, 3.0, 61.5)] == [1.0, 1.0, 1.0, 2.0, 1.0]


def test_who_does_not_log_in_is_sent_away() -> None:
    client = Client(manager())
    assert client.session.next_deadline() == NOW + 30.0
    client.session.handle_deadline(now=NOW + 29.9)
    assert not client.session.ended
    client.session.handle_deadline(now=NOW + 30.0)
    assert (client.take(), client.session.ended) == (b"", True)
    assert client.login() == ""


def test_who_is_logged_in_may_stay(client: Client) -> None:
    assert client.session.next_deadline() is None


def test_one_session_for_each_user_when_asked_for() -> None:
    shared = manager()
    assert "accepted" in Client(shared).login("once")
    second = Client(shared)
    assert second.login("once") == ""
    second.session.handle_deadline(now=NOW + 1)
    assert second.take() == b"Response: Error\r\nMessage: Login Already In Use\r\n\r\n"


def test_sessions_are_bounded() -> None:
    shared = manager()
    sessions = [shared.connect("127.0.0.1", now=NOW) for _ in range(MAX_SESSIONS)]
    assert None not in sessions
    assert shared.connect("127.0.0.1", now=NOW) is None
    first = sessions[0]
    assert first is not None
    shared.disconnected(first)
    assert shared.connect("127.0.0.1", now=NOW) is not None


def test_those_that_are_not_logged_in_are_bounded_apart() -> None:
    shared = manager(auth_limit=2)
    first, _ = Client(shared), Client(shared)
    assert shared.connect("127.0.0.1", now=NOW) is None
    first.login()
    assert shared.connect("127.0.0.1", now=NOW) is not None


# --- actions ---------------------------------------------------------------------------------------------------------


def test_logoff(client: Client) -> None:
    answer = client.send("Action: Logoff", "ActionID: 9")
    assert answer == "Response: Goodbye\r\nActionID: 9\r\nMessage: Thanks for all the fish.\r\n\r\n"
    assert client.session.ended
    assert client.send("Action: Ping") == ""


def test_ping(client: Client) -> None:
    answer = client.send("Action: Ping", "ActionID: 2")
    assert answer == "Response: Success\r\nActionID: 2\r\nPing: Pong\r\nTimestamp: 1700001000.250000\r\n\r\n"


@pytest.mark.parametrize("line", ["", "Action:", "Foo: bar"])
def test_an_action_is_needed(line: str, client: Client) -> None:
    answer = client.send(line or "ActionID: 1")
    assert answer.startswith("Response: Error\r\n")
    assert answer.endswith("Message: Missing action in request\r\n\r\n")


def test_an_unknown_action(client: Client) -> None:
    assert client.send("Action: QueueStatus", "ActionID: 4") == (
        "Response: Error\r\nActionID: 4\r\nMessage: Invalid/unknown command: QueueStatus. "
        "Use Action: ListCommands to show available commands.\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("mask", "answer"),
    [
        ("on", "Response: Success\r\nEvents: On"),
        ("off", "Response: Success\r\nEvents: Off"),
        ("system,call", "Response: Success\r\nEvents: On"),
        ("nothing", "Response: Success\r\nEvents: Off"),
        ("0", "Response: Success\r\nEvents: Off"),
        ("1", "Response: Success\r\nEvents: On"),
        ("2", "Response: Success\r\nEvents: On"),
        ("", "Response: Error\r\nMessage: Invalid event mask"),
    ],
)
def test_events(mask: str, answer: str, client: Client) -> None:
    assert client.send("Action: Events", f"EventMask: {mask}") == f"{answer}\r\n\r\n"


@pytest.mark.parametrize(
    ("mask", "told"), [("1", True), ("1048575", True), ("0", False), ("1048574", False), ("on", True), ("call", False)]
)
def test_a_number_is_a_mask_whose_lowest_bit_is_system(mask: str, told: bool) -> None:
    shared = manager()
    client = Client(shared)
    client.login()
    client.send("Action: Events", f"EventMask: {mask}")
    shared.tell(REGISTERED, now=NOW)
    assert (b"Event: Registry" in client.take()) is told


def test_a_command(client: Client) -> None:
    assert client.send("Action: Command", "Command: core show uptime", "ActionID: 5") == (
        "Response: Success\r\nActionID: 5\r\nMessage: Command output follows\r\n"
        "Output: System uptime: 2 hours, 3 minutes, 4 seconds\r\nOutput: Last reload: 1 minute\r\n\r\n"
    )
    failed = client.send("Action: Command", "Command: pjsip send register nobody")
    assert failed.startswith("Response: Error\r\nMessage: Command output follows\r\nOutput: Unable to retrieve")
    assert client.send("Action: Command") == "Response: Error\r\nMessage: No command provided\r\n\r\n"
    table = client.send("Action: Command", "Command: pjsip show registrations")
    assert table.count("Output: ") == 14
    assert "Output: Objects found: 7\r\nOutput: \r\n\r\n" in table


def test_list_commands_by_right(view: FakeView) -> None:
    shared = manager(view=view)
    client, watcher = Client(shared), Client(shared)
    client.login()
    watcher.login("watcher")
    lines = client.send("Action: ListCommands").split("\r\n")
    assert lines[0] == "Response: Success"
    assert "PJSIPRegister: Register an outbound registration. (Priv: system,reporting,all)" in lines
    assert "Ping: Keepalive command. (Priv: <none>)" in lines
    names = [line.partition(":")[0] for line in lines[1:-2]]
    assert names == sorted((action.name for action in ACTIONS.values()), key=str.lower)
    assert "Command:" not in watcher.send("Action: ListCommands")


def test_core_status_and_settings(client: Client) -> None:
    status = client.send("Action: CoreStatus", "ActionID: 6")
    assert status.startswith("Response: Success\r\nActionID: 6\r\nCoreStartupDate: 2026-01-31\r\nCoreStartupTime: ")
    assert "CoreReloadDate: 2026-01-31\r\n" in status
    answer = client.send("Action: CoreSettings")
    assert answer.startswith("Response: Success\r\nAMIversion: 11.0.0\r\nAsteriskVersion: sipcore 1.2.3\r\n")


@pytest.mark.parametrize(
    ("user", "action", "allowed"),
    [
        ("watcher", "PJSIPShowRegistrationsOutbound", True),
        ("watcher", "PJSIPRegister", True),
        ("watcher", "Command", False),
        ("watcher", "Reload", False),
        ("deaf", "Command", True),
        ("deaf", "PJSIPRegister", False),
        ("deaf", "CoreStatus", False),
        ("deaf", "Ping", True),
    ],
)
def test_rights(user: str, action: str, allowed: bool) -> None:
    client = Client(manager())
    client.login(user)
    assert ("Permission denied" not in client.send(f"Action: {action}")) is allowed


def test_next_attempt_is_told(client: Client) -> None:
    text = client.send("Action: PJSIPShowRegistrationsOutbound")
    assert "ObjectName: good\r\n" in text
    assert re.findall(r"NextReg: (\d+)", text) == ["107", "27", "47", "47", "27", "0", "0"]


def test_one_that_is_just_being_removed_fails_with_success(client: Client, view: FakeView) -> None:
    view.leaving.add("good")
    for action, text in (("PJSIPRegister", "registration"), ("PJSIPUnregister", "unregistration")):
        answer = client.send(f"Action: {action}", "Registration: good")
        assert answer == f"Response: Success\r\nMessage: Failed to queue {text}\r\n\r\n"


# --- reload ----------------------------------------------------------------------------------------------------------


def test_a_reload_is_answered_when_it_is_done(client: Client) -> None:
    assert client.send("Action: Reload", "ActionID: 1") == ""
    assert client.session.wants_reload == ()
    assert client.send("Action: Ping") == ""
    client.session.reloaded(None, now=NOW)
    answer = client.take().decode()
    assert answer.startswith(
        "Response: Success\r\nActionID: 1\r\nMessage: Module Reloaded\r\n\r\nResponse: Success\r\nPing"
    )
    assert client.session.wants_reload is None


def test_a_reload_that_is_refused_says_why(client: Client) -> None:
    client.send("Action: Reload", "Module: res_pjsip.so")
    client.session.reloaded("pjsip.conf:3: no\r\nAction: Ping", now=NOW)
    answer = client.take().decode()
    assert answer == (
        "Response: Error\r\nMessage: An unknown error occurred: pjsip.conf:3: no\\x0d\\x0aAction: Ping\r\n\r\n"
    )
    assert client.send("Action: Reload", "Module: chan_sip") == "Response: Error\r\nMessage: No such module\r\n\r\n"


def test_a_reload_by_command(client: Client) -> None:
    assert client.send("Action: Command", "Command: module reload res_pjsip.so") == ""
    assert client.session.wants_reload == ("res_pjsip.so",)
    client.session.reloaded(None, now=NOW)
    assert b"Output: Module 'res_pjsip.so' reloaded successfully.\r\n" in client.take()


# --- events ----------------------------------------------------------------------------------------------------------


def registry(status: str, *more: str) -> str:
    lines = ["Event: Registry", "Privilege: system,all", "ChannelType: PJSIP", "Username: sip:good@bars.invalid"]
    return "\r\n".join([*lines, "Domain: sip:127.0.0.1:5080", f"Status: {status}", *more, "", ""])


CAUSE = Cause(kind=OutcomeClass.TEMPORARY, code=503, reason="Busy\r\nEvent: Forged")
REJECTED = Rejected(name="good", kind=OutcomeClass.TEMPORARY, status=503, cause=CAUSE, retry_at=NOW + 30)
REGISTERED = Registered(name="good", expires=60, refreshed=True, assumed=False, refresh_at=NOW + 47)


def test_registry_events(view: FakeView) -> None:
    shared = manager(view=view)
    client, deaf, stranger, off = (Client(shared) for _ in range(4))
    client.login()
    deaf.login("deaf")
    off.login("bars", None, "Events: off")
    shared.tell(REGISTERED, now=NOW)
    assert client.take().decode() == registry("Registered", "Registration: good", "NextAttempt: 47")
    view.move("good", State.REJECTED, 30.0)
    shared.tell(REJECTED, now=NOW)
    told = client.take().decode()
    assert told.startswith(registry("Rejected", "Registration: good", "Cause: 503 Busy")[:-4])
    assert "\nEvent: Forged" not in told
    shared.tell(StatusChanged(status=view.status("good"), previous=State.REJECTED), now=NOW)
    assert [one.take() for one in (client, deaf, stranger, off)] == [b""] * 4


def test_one_that_is_gone_is_told_of(view: FakeView) -> None:
    shared = manager(view=view)
    client = Client(shared)
    client.login()
    del view.accounts["good"], view.statuses["good"]
    shared.tell(Unregistered(name="good", cause=Cause(detail="removed on request")), now=NOW)
    assert client.take().decode() == registry("Unregistered", "Registration: good", "Cause: removed on request")


def test_events_with_their_time_and_without_those_that_are_not_wanted(view: FakeView) -> None:
    shared = manager(view=view, timestamps=True)
    client = Client(shared)
    client.login()
    shared.tell(REGISTERED, now=NOW)
    assert b"Privilege: system,all\r\nTimestamp: 1700001000.250000\r\nChannelType" in client.take()
    silent = manager(view=view, disabled_events=frozenset({"registry", "fullybooted"}))
    client = Client(silent)
    assert "FullyBooted" not in client.login()
    silent.tell(REGISTERED, now=NOW)
    assert client.take() == b""


def test_events_do_not_come_between_the_parts_of_a_list(view: FakeView) -> None:
    many = FakeView(tuple(f"r{number:03}" for number in range(300)))
    many.accounts["good"], many.statuses["good"] = view.account("good"), view.status("good")
    shared = manager(view=many)
    client = Client(shared)
    client.login()
    client.session.receive(b"Action: PJSIPShowRegistrationsOutbound\r\n\r\n", now=NOW)
    text = client.session.take(now=NOW).decode()
    shared.tell(REGISTERED, now=NOW)
    assert "Complete" not in text
    text += client.take().decode()
    assert text.index("OutboundRegistrationDetailComplete") < text.index("Event: Registry")
    assert text.count("Event: OutboundRegistrationDetail\r\n") == 301


def test_who_does_not_read_is_dropped(view: FakeView) -> None:
    shared = manager(view=view)
    client = Client(shared)
    client.login()
    for _ in range(MAX_BACKLOG // 100):
        shared.tell(REGISTERED, now=NOW)
    assert client.session.ended
    assert client.take() == b""


# --- what arrives ----------------------------------------------------------------------------------------------------


def test_lines_may_end_with_a_line_feed_alone_and_come_in_any_pieces(client: Client) -> None:
    for byte in b"\n\r\nAction: ping\nActionID: 8\n\n":
        client.session.receive(bytes((byte,)), now=NOW)
    assert client.take().startswith(b"Response: Success\r\nActionID: 8\r\nPing: Pong\r\n")


def test_a_line_that_is_too_long_spoils_its_action_only(client: Client) -> None:
    long = "x" * (MAX_LINE + 10)
    answer = client.send("Action: Ping", "ActionID: 1", f"Foo: {long}")
    assert answer == "Response: Error\r\nActionID: 1\r\nMessage: Failed to parse message: line too long\r\n\r\n"
    assert "Pong" in client.send("Action: Ping")
    for _ in range(5):
        client.session.receive(b"y" * MAX_LINE, now=NOW)
    assert "line too long" in client.send("", "")
    assert "Pong" in client.send("Action: Ping", "Foo: " + "x" * (MAX_LINE - 6))


def test_too_many_lines(client: Client) -> None:
    assert "Pong" in client.send("Action: Ping", *["A: b"] * (MAX_HEADERS - 1))
    assert "too many lines" in client.send("Action: Ping", *["A: b"] * MAX_HEADERS)


def test_what_waits_is_bounded(client: Client) -> None:
    client.send("Action: Reload")
    assert client.session.hungry
    client.session.receive(b"Action: Ping\r\n\r\n" * 2000, now=NOW)
    assert not client.session.hungry
    client.session.reloaded(None, now=NOW)
    assert client.session.hungry
    assert client.take().count(b"Pong") == 2000


def test_no_value_begins_a_line_of_its_own() -> None:
    data = response(Message([("actionid", "a\rb\x00")]), "Success", "x\r\nResponse: Error")
    assert data == b"Response: Success\r\nActionID: a?b?\r\nMessage: x??Response: Error\r\n\r\n"


@settings(deadline=None)
@given(st.data())
def test_any_pieces_make_the_same_actions(data: st.DataObject) -> None:
    """Law: what is read does not depend on how it was cut."""
    text = b"".join(data.draw(st.lists(PIECES, max_size=30)))
    whole, cut = BlockReader(), BlockReader()
    whole.feed(text)
    expected = read(whole)
    found = []
    position = 0
    while position < len(text):
        size = data.draw(st.integers(1, 40))
        cut.feed(text[position : position + size])
        found += read(cut)
        position += size
    assert found == expected


PIECES = st.sampled_from(
    [b"Action: Login", b"Username: bars", b"Secret: bars", b"Action: ", b"Ping", b"\r\n", b"\n", b"\r\n\r\n", b":"]
    + [b"ActionID: 1\r\n", b"Command: pjsip show registrations", b"Registration: *all", b"Action: Command\r\n"]
    + [b"x" * 1500, b"\x00", b"\xff", b"Events: on\r\n", b"EventMask: \xc3", b"AuthType: MD5\r\n", b"Key: \xff\r\n"]
    + [f"Action: {action.name}\r\n\r\n".encode() for action in ACTIONS.values()]
) | st.binary(max_size=30)


def read(reader: BlockReader) -> list[tuple[list[tuple[str, str]], str]]:
    found = []
    while (message := reader.next()) is not None:
        found.append((message.headers, message.fault))
    return found


@settings(deadline=None)
@given(st.lists(PIECES, max_size=40), st.booleans())
def test_no_bytes_raise(pieces: list[bytes], logged_in: bool) -> None:
    """Law: whatever arrives, before the login or after it, leaves a session that is ended or answers."""
    shared = manager()
    client = Client(shared)
    if logged_in:
        client.login()
    for piece in pieces:
        client.session.receive(piece, now=NOW)
        shared.tell(REGISTERED, now=NOW)
        client.session.reloaded(None, now=NOW)
        client.take()
    if logged_in and not client.session.ended:
        client.session.receive(b"\r\n\r\nAction: Ping\r\n\r\n", now=NOW)
        client.session.reloaded(None, now=NOW)
        assert b"Pong" in client.take() or client.session.ended


def test_secrets_stay_where_they_are(client: Client) -> None:
    """The list has an AuthDetail for each auth, and none of its fields holds a secret (`heard` looks at each)."""
    text = client.send("Action: PJSIPShowRegistrationsOutbound")
    assert text.count("Event: AuthDetail\r\n") == 6
    assert f"ObjectName: {LONG}-auth\r\n" in text
    assert text.count("Password: ***\r\n") == 6
    assert PASSWORD not in repr(SETTINGS)
    assert isinstance(client.session, AmiSession)
