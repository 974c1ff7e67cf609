"""The command line: what a live Asterisk printed, printed by us; and what only we say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.asterisk.cli import COMMANDS, MAX_COMMAND, Output, complete, reloaded, run_command
from sipcore.asterisk.cli_text import registration_row, spell, split_words
from sipcore.asterisk.rendering import View
from sipcore.errors import LocalProtocolError
from sipcore.profiles import ASTERISK
from sipcore.testing import Line, ok
from sipcore.values import Phase, State
from tests import accounts
from tests.asterisk.conf_lines import AgentView
from tests.asterisk.console_view import LONG, NOW, FakeView, account, sections, status
from tests.secrecy import PASSWORD, find, heard

TRACE = sections("console.txt")

HEAD = " <Registration/ServerURI..............................>"


@pytest.fixture
def view() -> FakeView:
    return FakeView()


def run(line: str, view: View) -> str:
    text = run_command(line, view, now=NOW).text
    heard(text, f"what {line!r} printed")
    return text


def masked(text: str) -> str:
    """The trace with what we do not print: passwords."""
    return text.replace("password                 : secret", "password                 : ***")


@pytest.mark.parametrize("line", [line for line in TRACE if line.startswith(("pjsip show", "pjsip list"))])
def test_prints_what_asterisk_prints(line: str, view: FakeView) -> None:
    view.change("silent", cause=None, phase=Phase.EXCHANGING)
    view.starts["silent"] = NOW - 3.0
    assert run(line, view).rstrip() == masked(TRACE[line]).rstrip()


@pytest.mark.parametrize(
    ("state", "phase", "began", "expected"),
    [
        (State.REGISTERED, Phase.EXCHANGING, NOW - 8.0, " (exp. 8s ago)"),
        (State.REGISTERED, Phase.RESOLVING, NOW - 8.0, " (exp. 0s)"),
        (State.UNREGISTERED, Phase.CONNECTING, None, " (exp. 0s)"),
        (State.UNREGISTERED, Phase.EXCHANGING, None, " (exp. 0s)"),
        (State.REJECTED, Phase.IDLE, NOW - 35.0, " (exp. 35s ago)"),
        (State.REJECTED, Phase.IDLE, None, " (exp. 3s ago)"),
        (State.UNREGISTERED, Phase.IDLE, NOW - 35.0, " (exp. 3s ago)"),
    ],
)
def test_without_a_plan_the_row_tells_when_the_last_timer_was_due(
    view: FakeView, state: State, phase: Phase, began: float | None, expected: str
) -> None:
    view.move("good", state)
    view.change("good", phase=phase, next_attempt_at=None)
    view.starts["good"] = began
    assert f"{expected}\n" in run("pjsip show registrations like ^good$", view)


@pytest.mark.parametrize("line", [line for line in TRACE if line.startswith(("pjsip send", "core show help"))])
def test_says_what_asterisk_says(line: str, view: FakeView) -> None:
    assert run(line, view).rstrip() == TRACE[line].rstrip()


def test_a_listing_ends_with_its_count_and_an_empty_line(view: FakeView) -> None:
    text = run("pjsip show registrations", view)
    assert text.startswith(f"\n{HEAD}")
    assert text.endswith("\n\nObjects found: 7\n\n")
    assert run("pjsip show registration good", view).endswith(" user_agent               : \n\n")


def test_without_any_there_is_one_line() -> None:
    assert run("pjsip show registrations", FakeView(())) == "No objects found.\n\n"
    assert run("pjsip show auths", FakeView(())) == "No objects found.\n\n"
    assert run("pjsip show transports", FakeView(())) == "No objects found.\n\n"
    assert run("pjsip show registrations like ^x$", FakeView()) == "No objects found.\n\n"


@pytest.mark.parametrize(
    ("left", "expected"), [(47.9, " (exp. 48s)"), (0.5, " (exp. 0s)"), (0.75, " (exp. 1s)"), (-3.0, " (exp. 3s ago)")]
)
def test_seconds_are_those_of_the_clock(left: float, expected: str) -> None:
    # 1000.25 and 1001.00 are in neighbouring seconds.
    assert registration_row(account("good"), None, status("good", left=left), now=NOW).endswith(f"{expected}\n")


def test_one_that_was_never_asked_for_has_a_bare_nought(view: FakeView) -> None:
    view.move("good", State.UNREGISTERED)
    view.change("good", cause=None)
    assert "good-auth                   Unregistered     0\n" in run("pjsip show registrations", view)


def test_stopped_prints_as_asterisk_prints_it(view: FakeView) -> None:
    view.move("good", State.STOPPED)
    assert "good-auth                   Unregistered      (exp. 3s ago)\n" in run("pjsip show registrations", view)


@pytest.mark.parametrize("length", [1, 30, 52, 53, 54, 70])
def test_name_and_uri_share_their_columns(length: int) -> None:
    """A URI is cut to what the name leaves, down to nothing; behind a longer name it is whole."""
    one = account("n" * length, registrar=f"sip:{'u' * 60}.invalid")
    cell = registration_row(one, None, status(one.name), now=NOW)[1:].partition("  ")[0].split("/")[1]
    assert cell == (f"sip:{'u' * 60}.invalid"[: 53 - length] if length <= 53 else f"sip:{'u' * 60}.invalid")


def test_an_account_alone_is_enough() -> None:
    text = run("pjsip show registration good", FakeView(native=True))
    assert " outbound_auth            : good-auth\n" in text
    assert " transport                : transport-udp\n" in text
    assert "good-auth" in run("pjsip show auths", FakeView(native=True))


def test_no_password_is_printed(view: FakeView) -> None:
    for name in ("good", "silent"):
        text = run(f"pjsip show auth {name}-auth", view)
        assert " password                 : ***\n" in text
        assert find(text) is None
    assert find(PASSWORD) is not None


def test_rows_are_sorted_and_filtered(view: FakeView) -> None:
    def names(line: str) -> list[str]:
        return [row[1:].partition("/")[0] for row in run(line, view).splitlines() if "/sip:" in row]

    assert names("pjsip show registrations") == sorted(view.names())
    assert names("pjsip list registrations like ^(good|open)$") == ["good", "open"]
    assert names("PJSIP Show Registrations LIKE e[jn]") == ["open", "rejected", "silent"]


def test_an_expression_that_cannot_be_read_is_told(view: FakeView) -> None:
    output = run_command("pjsip show registrations like (", view, now=NOW)
    assert not output.ok
    assert output.text.startswith("The regular expression '(' cannot be used: ")


def test_no_expression_keeps_the_console_busy() -> None:
    """What makes other engines go back for ever is linear here, and what is still too much work is refused."""
    names = tuple(f"{'a' * 40}{number:04}" for number in range(200))
    view = FakeView(names)
    assert "No objects found" in run(r'pjsip show registrations like "(a+)+b$"', view)
    output = run_command("pjsip show registrations like (a{1,20}){1,20}b", view, now=NOW)
    assert "too large for so many names" in output.text


def test_sends_to_one_and_to_all(view: FakeView) -> None:
    assert run("pjsip send register good", view) == ""
    assert run("pjsip send unregister *all", view) == "Unregister all queued\n"
    assert run("pjsip send register *all", view) == "Re-register all queued\n"
    names = list(view.names())
    assert view.asked == [
        ("register", "good"),
        *(("unregister", name) for name in names),
        *(("register", name) for name in names),
    ]


def test_what_is_being_removed_cannot_be_queued(view: FakeView) -> None:
    view.leaving.add("good")
    assert run("pjsip send unregister good", view).startswith("Failed to queue unregistration\n")
    assert run("pjsip send register good", view).startswith("Failed to queue registration\n")
    assert run("pjsip send register *all", view) == "Re-register all queued\n"
    assert ("register", "good") not in view.asked


@pytest.mark.parametrize("line", ["pjsip send register", "pjsip send register a b", "pjsip show registrations like"])
def test_a_command_with_the_wrong_words_shows_its_usage(line: str, view: FakeView) -> None:
    output = run_command(line, view, now=NOW)
    assert output.text.startswith("Usage: pjsip ")
    assert not output.ok
    assert view.asked == []


def test_an_unknown_command_is_quoted_up_to_the_first_unknown_word(view: FakeView) -> None:
    assert run("sip show peers", view) == (
        "No such command 'sip show peers' (type 'core show help sip' for other possible commands)\n"
    )
    assert "(type 'core show help pjsip show endpoints'" in run("pjsip show endpoints now", view)
    assert "\x1b" not in run("pjsip \x1b[31m", view)


def test_reloads_are_left_to_the_caller(view: FakeView) -> None:
    module = "res_pjsip_outbound_registration.so"
    assert run_command(f"module reload {module}", view, now=NOW) == Output("", reload=(module,))
    assert run_command("module reload res_pjsip", view, now=NOW).reload == ("res_pjsip.so",)
    assert run_command("core reload", view, now=NOW).reload == ()
    assert run_command("module reload chan_sip.so", view, now=NOW) == Output("No such module 'chan_sip.so'\n")
    assert run_command("pjsip reload", view, now=NOW).reload == ("res_pjsip.so", module)
    assert reloaded((module,), None).text == TRACE[f"module reload {module}"].rstrip("\n") + "\n"
    refused = reloaded((module,), "pjsip.conf:3: expiration = 'x'\x1b")
    assert refused.text == f"The module '{module}' reported a reload failure\npjsip.conf:3: expiration = 'x'\\x1b\n"
    assert not refused.ok
    assert reloaded((), None).text == ""


def test_uptime(view: FakeView) -> None:
    text = "System uptime: 2 hours, 3 minutes, 4 seconds\nLast reload: 1 minute\n"
    assert run("core show uptime", view) == text
    assert run("core show uptime seconds", view) == "System uptime: 7384\nLast reload: 60\n"
    assert spell(31536000 + 2 * 604800 + 86400 + 1) == "1 year, 2 weeks, 1 day, 1 second"
    assert spell(-1) == "0 seconds"
    assert run("core show version", view).startswith("sipcore 1.2.3")


def test_help_knows_every_command(view: FakeView) -> None:
    for name in COMMANDS:
        assert run(f"core show help {name}", view).startswith(f"Usage: {name}")
        assert name in run("core show help", view)
    assert "No such command 'nothing'." in run("core show help nothing", view)
    some = run("core show help pjsip send", view).splitlines()
    assert [line.partition(" -- ")[0].strip() for line in some] == ["pjsip send register", "pjsip send unregister"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", ["core", "module", "pjsip"]),
        ("pj", ["pjsip"]),
        ("pjsip ", ["list", "reload", "send", "show"]),
        ("pjsip show reg", ["registration", "registrations"]),
        ("pjsip send register ", ["*all", LONG, "busy", "good", "open", "rejected", "silent", "stopped"]),
        ("pjsip send register s", ["silent", "stopped"]),
        ("pjsip show registration ", [LONG, "busy", "good", "open", "rejected", "silent", "stopped"]),
        ("pjsip show registration good ", []),
        ("nothing ", []),
    ],
)
def test_completion(line: str, expected: list[str], view: FakeView) -> None:
    assert complete(line, view) == expected


def test_words() -> None:
    assert split_words(r'a "b c" d\ e "" f\"g ') == ["a", "b c", "d e", "", 'f"g']


def test_a_line_has_a_bound(view: FakeView) -> None:
    assert "at most" in run("x" * (MAX_COMMAND + 1), view)
    assert "No such command" in run("x" * MAX_COMMAND, view)


WORDS = st.sampled_from(
    [word for name in COMMANDS for word in name.split()]
    + ["like", "good", "*all", "seconds", "res_pjsip.so", "", '"', "\\", "^g", "(", "[a", "a{9}", "\x00", "é", "\udcff"]
)


@settings(deadline=None)
@given(st.lists(WORDS | st.text(max_size=20), max_size=8))
def test_no_line_raises(words: list[str]) -> None:
    """Law: whatever is typed, there is an answer, it ends its last line, and completion answers, too."""
    view = FakeView()
    line = " ".join(words)
    output = run_command(line, view, now=NOW)
    assert output.text == "" or output.text.endswith("\n")
    heard(output.text, "what a made-up command printed")
    complete(line, view)


def test_the_row_of_a_refresh_under_way_tells_when_it_began() -> None:
    line = Line(accounts.account(profile=ASTERISK, max_random_initial_delay=0), script=[ok(60), None])
    assert line.agent.began("alice") is None
    line.register(until=2.0)
    assert line.agent.began("alice") == 1.0
    line.run(until=56.0)
    assert line.agent.began("alice") == 51.0
    assert " (exp. 5s ago)" in run_command("pjsip show registrations", AgentView(line), now=line.now).text
    assert " (exp. 5s ago)" in run_command("pjsip show registration alice", AgentView(line), now=line.now).text
    with pytest.raises(LocalProtocolError):
        line.agent.began("nobody")
