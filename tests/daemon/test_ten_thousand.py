"""Ten thousand registrations in one pjsip.conf: read, registered with our own registrar, and reloaded with one change,
which nobody else may notice: counted on the wire, and bounded in CPU time."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable

import pytest

from sipcore.asterisk import Configuration, parse
from sipcore.commands import Transmit
from sipcore.registrar import RegistrarPolicy
from sipcore.syntax.message import Request, parse_message
from sipcore.testing import Pair
from sipcore.testing.wire import Wire
from tests.secrecy import PASSWORD

COUNT = 10_000

CHANGED = 7_777
"""The one that is edited."""

RELOAD_CPU = 0.5
"""Seconds for what the agent does with ten thousand accounts of which one changed; it takes about a tenth of that."""

READ_FLOORS = 400
"""The CPU time of reading, in times of the floor: splitting the same text at its line ends and equal signs. It takes 50
to 115; `benchmarks.bench_configuration` has the bar in seconds."""

HEAD = """\
[udp]
type = transport
bind = 192.0.2.10:5060
[r](!)
type = registration
transport = udp
server_uri = sip:example.com
retry_interval = 30
expiration = 3600
max_random_initial_delay = 0
[a](!)
type = auth
"""

EACH = f"""\
[user{{0}}](r)
outbound_auth = user{{0}}
client_uri = sip:user{{0}}@example.com
contact_user = user{{0}}
[user{{0}}](a)
username = user{{0}}
password = {PASSWORD}
"""

ONE = EACH.format(CHANGED)


class Crowd:
    """All of them, registered, and what is sent from now on."""

    def __init__(self) -> None:
        self.text = HEAD + "".join(EACH.format(number) for number in range(COUNT))
        accounts = parse(self.text).accounts
        users = {f"user{number}": PASSWORD for number in range(COUNT)}
        policy = RegistrarPolicy(domains=("example.com",), max_expires=7200)
        # With a latency, as with none ten thousand registrations were one instant of the virtual world.
        self.pair = Pair(*accounts, users=users, policy=policy, wire=Wire(latency=0.01))
        self.pair.register(until=60.0)

    def reload(self, text: str) -> float:
        """Read an edited file; the seconds of CPU that the agent took."""
        configuration = parse(text)
        gc.collect()
        begun = time.process_time()
        self.pair.agent.reload(configuration.accounts, now=self.pair.now)
        return time.process_time() - begun

    def sent(self) -> Counter[str]:
        """Who sent how many requests since the last call."""
        outputs = [item.output for item in self.pair.client.outputs]
        self.pair.client.outputs.clear()
        found: Counter[str] = Counter()
        for output in outputs:
            if isinstance(output, Transmit):
                message = parse_message(output.data)
                assert isinstance(message, Request)
                found[str(message.to.uri.user)] += 1
        return found


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    made = Crowd()
    assert sum(status.registered for status in made.pair.agent.statuses()) == COUNT
    assert sum(made.sent().values()) == 2 * COUNT
    return made


def name(number: int) -> str:
    return f"user{number}"


def test_all_are_registered_and_rest(crowd: Crowd) -> None:
    """Half an hour in which nobody has anything to do."""
    crowd.pair.run(until=crowd.pair.now + 1800.0)
    assert crowd.sent() == {}


def test_the_same_file_sends_nothing(crowd: Crowd) -> None:
    seconds = crowd.reload(crowd.text)
    crowd.pair.run(until=crowd.pair.now + 5.0)
    assert crowd.sent() == {}
    assert seconds < RELOAD_CPU


CHANGES: dict[str, Callable[[str], str]] = {
    "expiration": lambda one: one.replace("client_uri", "expiration = 3500\nclient_uri"),
    "password": lambda one: one.replace(f"password = {PASSWORD}", f"password = {PASSWORD}-new"),
    "contact": lambda one: one.replace(f"contact_user = user{CHANGED}", "contact_user = somebody"),
    "removed": lambda one: "",
    "back again": lambda one: one,
}
"""One after the other, each a file that differs from the one before in one registration."""


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_one_is_sent_by_that_one_and_nobody_else(crowd: Crowd, change: str) -> None:
    before = {status.name: status for status in crowd.pair.agent.statuses()}
    seconds = crowd.reload(crowd.text.replace(ONE, CHANGES[change](ONE)))
    crowd.pair.run(until=crowd.pair.now + 5.0)
    sent = crowd.sent()
    assert set(sent) == {name(CHANGED)}
    # A removal or a refresh, each with its challenge; what changed before is taken back in the same request.
    assert 1 <= sent[name(CHANGED)] <= 4
    assert seconds < RELOAD_CPU
    for status in crowd.pair.agent.statuses():
        if status.name != name(CHANGED):
            assert status is before[status.name] or status == before[status.name]


def test_retry_intervals_of_all_change_and_nothing_is_sent(crowd: Crowd) -> None:
    """One line of a template: ten thousand changed accounts, and no request."""
    seconds = crowd.reload(crowd.text.replace("retry_interval = 30", "retry_interval = 31"))
    crowd.pair.run(until=crowd.pair.now + 5.0)
    assert crowd.sent() == {}
    assert seconds < 4 * RELOAD_CPU


def test_reading_costs_a_bounded_multiple_of_splitting_lines() -> None:
    text = HEAD + "".join(EACH.format(number) for number in range(COUNT))
    ratio = min(read_seconds(text)[1] / floor_seconds(text) for _ in range(2))
    assert ratio < READ_FLOORS


def floor_seconds(text: str) -> float:
    begun = time.process_time()
    found: dict[str, str] = {}
    for line in text.split("\n"):
        option, _, value = line.partition("=")
        found[option.strip()] = value.strip()
    return time.process_time() - begun


def read_seconds(text: str) -> tuple[Configuration, float]:
    gc.collect()
    begun = time.process_time()
    configuration = parse(text)
    seconds = time.process_time() - begun
    assert len(configuration.accounts) == COUNT
    return configuration, seconds
