"""manager.conf: what is used, what is only read, and what is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.asterisk.ami_settings import CLASSES, ManagerSettings, load_manager
from sipcore.errors import ConfigError
from sipcore.settings import Verdict
from tests.secrecy import PASSWORD

DEBIAN = """
;
; AMI - The Asterisk Manager Interface
;
[general]
enabled = no
port = 5038
bindaddr = 127.0.0.1
;webenabled = yes

[mark]
secret = mysecret
deny=0.0.0.0/0.0.0.0
permit=127.0.0.1/255.255.255.255
read = system,call,log,verbose,agent,user,config,dtmf,reporting,cdr,dialplan
write = system,call,agent,user,config,command,reporting,originate,message
writetimeout = 5000
"""


def load(general: str = "", user: str = "") -> ManagerSettings:
    return load_manager(f"[general]\nenabled=yes\n{general}\n[a]\nsecret={PASSWORD}\n{user}\n")


def test_a_file_as_it_is_shipped() -> None:
    found = load_manager(DEBIAN)
    assert (found.enabled, found.address) == (False, ("127.0.0.1", 5038))
    mark = found.users["mark"]
    assert mark.read == set("system call log verbose agent user config dtmf reporting cdr dialplan".split())
    assert "command" in mark.write
    assert mark.admits("127.0.0.1")
    assert mark.admits("::ffff:127.0.0.1")
    assert not mark.admits("127.0.0.2")
    assert [note.option for note in found.notes if note.verdict is Verdict.UNUSED] == ["writetimeout"]


def test_what_is_not_said() -> None:
    found = load_manager("[a]\nsecret=x\n")
    assert (found.enabled, found.address, found.auth_timeout) == (False, ("127.0.0.1", 5038), 30.0)
    assert (found.users["a"].read, found.users["a"].write) == (frozenset(), frozenset())
    assert found.users["a"].admits("::1")


def test_classes() -> None:
    assert load(user="read=all").users["a"].read == set(CLASSES)
    assert load(user="read = none , System,").users["a"].read == {"system"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_addresses(host: str) -> None:
    assert load(f"bindaddr={host}\nport=0").address == (host.replace("localhost", "127.0.0.1"), 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "::ffff:192.0.2.1"])
def test_no_other_address_is_listened_on(host: str) -> None:
    with pytest.raises(ConfigError, match=f"^manager.conf:3: bindaddr = '{host}': only a loopback address such as"):
        load(f"bindaddr={host}")
    # A file that says "no" asks for nothing.
    assert not load_manager(f"[general]\nenabled=no\nbindaddr={host}").enabled


@pytest.mark.parametrize(
    ("general", "user", "text"),
    [
        ("port=70000", "", "manager.conf:3: port = '70000': a whole number from 0 to 65535"),
        ("authtimeout=0", "", "manager.conf:3: authtimeout = '0': a whole number from 1 to 3600"),
        ("tlsenable=yes", "", "manager.conf:3: tlsenable: TLS is not supported"),
        ("bindadr=127.0.0.1", "", "manager.conf:3: bindadr: not an option of manager.conf; did you mean 'bindaddr'?"),
        ("", "read=sytem", "manager.conf:6: read = 'sytem': not a class; "),
        ("", "read=sytem", "did you mean 'system'?"),
        ("", "permit=nowhere", "manager.conf:6: permit = 'nowhere': an address and its mask"),
        ("", "acl=internal", "manager.conf:6: acl: named access lists are not supported"),
        ("", "eventfilter=!Event: X", "manager.conf:6: eventfilter: filters of events are not supported"),
        ("", "[A]\nsecret=x", "manager.conf:6: [A]: a second user of this name"),
        ("", "[b]\nread=all", "manager.conf:6: [b]: needs secret"),
        ("", "[b]\nsecret=", "manager.conf:6: [b]: needs secret"),
    ],
)
def test_what_is_refused(general: str, user: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(general, user)
    assert text in str(caught.value)


def test_a_misspelt_secret_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        load(user=f"secrt={PASSWORD}")
    assert str(caught.value) == "manager.conf:6: secrt: not an option of manager.conf; did you mean 'secret'?"


def test_tls_that_is_off_is_no_fault() -> None:
    assert load("tlsenable=no\nwebenabled=yes\ndisabledevents=Registry, Newexten").disabled_events == {
        "registry",
        "newexten",
    }


def test_the_secret_is_in_no_note() -> None:
    found = load()
    assert [note.value for note in found.notes if note.option == "secret"] == [None]
    assert PASSWORD not in repr(found)


def test_rules_are_looked_at_in_order() -> None:
    admits = load(user="permit=127.0.0.0/8,!127.0.0.9\ndeny=::1").users["a"].admits
    assert [admits(host) for host in ("127.0.0.1", "127.0.0.9", "::1", "::2")] == [True, False, False, True]


LINES = st.sampled_from(
    [
        *("[general]", "[a]", "[b](a)", "[t](!)", "secret=x", "enabled=yes", "bindaddr=::1", "port=0", "port=x"),
        *("read=all", "write=none,", "permit=127.0.0.1", "deny=!", "permit=/", "acl=x", ";--", "--;", "x"),
        "disabledevents=,",
    ]
)


@settings(deadline=None)
@given(st.lists(LINES | st.text(max_size=20), max_size=12))
def test_no_file_raises_anything_else(lines: list[str]) -> None:
    """Law: a file is read, or refused with a `ConfigError`."""
    with suppress(ConfigError):
        load_manager("\n".join(lines))
