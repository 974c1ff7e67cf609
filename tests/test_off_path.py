"""A million forged responses with one identity wrong each: no effect, and each of them is told."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable
from itertools import islice
from random import Random

import pytest

from sipcore.agent import UserAgent
from sipcore.commands import Transmit
from sipcore.events import InboundRequest, MessageDropped
from sipcore.testing.forgery import FIELDS, VERDICTS, Spoof, forgeries, spoofed_requests
from sipcore.transaction import matching
from sipcore.transaction.client import ClientTransaction, ClientTransactions
from tests.off_path import Twins, fingerprint, forge
from tests.seeds import FRESH_SEED

FORGERIES = int(os.environ.get("SIPCORE_SPOOFS") or 1_000_000)
"""In all; `SIPCORE_SPOOFS=...` has more of them, or fewer."""

REQUESTS = 30_000

MOMENTS = [0.0, 1.0, 2.5, 4.5, 6.5, 30.0, 41.0, 75.0, 110.5]
"""When requests come: before, between and in exchanges, and when all is being removed."""


@pytest.mark.requirement("RFC3261-17.1.3-01", "RFC3261-8.1.3.3-01", "RFC3261-18.1.2-01")
@pytest.mark.parametrize("seed", [1, FRESH_SEED])
def test_a_forged_response_has_no_effect_but_that_it_is_told(seed: int) -> None:
    """Law: an agent that gets forgeries puts out what its twin does, at the same moments, from the same state.

    After each batch they are equal in all that can be reached; after all of them the true answers have come, to both.
    """
    told = forge(seed, FORGERIES // 2)
    assert {field for field, _ in told} == set(FIELDS)
    states = {state for _, state in told}
    assert states == {"trying", "proceeding", "completed", "over"}
    assert sum(count for (_, state), count in told.items() if state != "over") > told.total() / 2


# --- forgeries could do harm -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [" ".join(verdict) for verdict in VERDICTS])
def test_what_is_forged_would_have_an_effect_if_it_were_right(verdict: str) -> None:
    """Else the law above would hold of anything."""
    twins = Twins(1)
    first = verdict.partition(" Contact")[0][:3]
    sent = next(item for item in twins.sent() if item.request.to.uri.user == "alice")
    right = forgeries(Random(1), sent.request, "flow", sent_to=sent.sent_to, local=sent.local)
    before = fingerprint(twins.one.agent)
    data = next(item.data for item in right if item.data[8:11].decode() == first)
    twins.one.agent.receive(sent.flow, data, sent.sent_to, now=twins.now)
    assert fingerprint(twins.one.agent) != before
    assert not isinstance(twins.one.agent.next_output(), MessageDropped)


def test_one_seed_gives_the_same_forgeries_and_hardly_one_of_them_twice() -> None:
    sent = Twins(1).sent()[0]

    def some(seed: int, field: str) -> list[Spoof]:
        made = forgeries(Random(seed), sent.request, field, sent_to=sent.sent_to, local=sent.local)
        return list(islice(made, 2000))

    for field in FIELDS:
        assert some(1, field) == some(1, field)
        assert some(1, field) != some(2, field)
        if field != "flow":
            assert len({(item.data, item.source) for item in some(1, field)}) > 500


# --- each comparison counts ------------------------------------------------------------------------------------------

RELAXED = {
    "flow": ("if flow is not transaction.flow:", "if False:"),
    "source": ("source[0] != transaction.remote[0]", "False"),
    "second Via": ("response.via_count != 1", "False"),
    "sent-by host": ("via.host.lower() != host.lower() or ", ""),
    "sent-by port": (" or port != int(own_port)", ""),
    "Call-ID": ('response.once("call-id") != transaction.call_id', "False"),
    "CSeq number": ("response.cseq.number != int(number) or ", ""),
    "CSeq method": (" or response.cseq.method != method", ""),
    "From tag": ("response.from_.tag != ours.tag or ", ""),
    "From URI": (" or not _same_uri(response.from_, ours)", ""),
    "To URI": ("response.to, parse_name_addr(transaction.to_value)", "response.to, response.to"),
}
"""Field -> a comparison of it, and what stands there when it is left out."""

CALL_ID = 'response.once("call-id") != transaction.call_id'

WEAKER = {
    "Call-ID in any case": ("Call-ID", (CALL_ID, '(response.get("call-id") or "").lower() != transaction.call_id')),
    "the first of two": ("Call-ID", ('response.once("call-id")', 'response.get("call-id")')),
    "the start of it": ("Call-ID", (CALL_ID, 'not transaction.call_id.startswith(response.get("call-id") or "x")')),
    "a method in any case": ("CSeq method", ("response.cseq.method !=", "response.cseq.method.upper() !=")),
    "a user in any case": ("To URI", ("response.to, parse", "parse_name_addr(str(response.to).lower()), parse")),
    "any tag for none": ("From tag", ("response.from_.tag != ours.tag", "response.from_.tag not in (None, ours.tag)")),
}
"""Fault -> the field in which it shows, the comparison, and a weaker one."""


def relax(monkeypatch: pytest.MonkeyPatch, change: tuple[str, str]) -> None:
    """Let the agent compare by a matching room with one expression changed."""
    source = inspect.getsource(matching)
    assert change[0] in source, "the comparison is another one now: change the table"
    names: dict[str, object] = {}
    exec(compile(source.replace(*change), "relaxed", "exec"), names)
    monkeypatch.setattr("sipcore.agent.mismatch", names["mismatch"])


@pytest.mark.parametrize("field", RELAXED)
def test_a_comparison_that_is_left_out_is_found(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    relax(monkeypatch, RELAXED[field])
    with pytest.raises(AssertionError, match=field):
        forge(1, 600, fields=[field])


@pytest.mark.parametrize("fault", WEAKER)
def test_a_comparison_that_is_weaker_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    field, change = WEAKER[fault]
    relax(monkeypatch, change)
    with pytest.raises(AssertionError, match=field):
        forge(1, 4000, fields=[field])


def test_what_is_the_same_in_another_spelling_is_not_wrong() -> None:
    """Branches compare without case (RFC 3261 section 7.3.1), hosts as well, and a display name is no identity."""
    for change in (
        lambda text: re.sub("branch=([^;\r]*)", lambda found: f"branch={found[1].upper()}", text),
        lambda text: re.sub("branch=([^;\r]*)", lambda found: f"branch={found[1].lower()}", text),
        lambda text: text.replace("From: <sip:alice@example.com>", 'From: "A" <sip:alice@EXAMPLE.com>'),
        lambda text: text.replace("To: <sip:alice@example.com>", "To: sip:%61lice@Example.COM"),
        lambda text: text.replace("CSeq: ", "CSeq: 00"),
    ):
        twins = Twins(1)
        sent = next(item for item in twins.sent() if item.request.to.uri.user == "alice")
        data = next(forgeries(Random(1), sent.request, "flow", sent_to=sent.sent_to, local=sent.local)).data.decode()
        changed = change(data)
        assert changed != data
        twins.one.agent.receive(sent.flow, changed.encode(), sent.sent_to, now=twins.now)
        assert not isinstance(twins.one.agent.next_output(), MessageDropped), changed


def one_digit_apart(one: str, two: str) -> bool:
    return len(one) == len(two) and sum(a != b for a, b in zip(one, two, strict=True)) <= 1


@pytest.mark.parametrize("alike", [one_digit_apart, str.startswith, lambda known, given: given.startswith(known)])
def test_a_branch_that_is_almost_right_is_found(
    alike: Callable[[str, str], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(table: ClientTransactions, branch: str) -> ClientTransaction | None:
        return next((item for known, item in table._by_branch.items() if alike(known, branch.lower())), None)

    monkeypatch.setattr(ClientTransactions, "find", find)
    with pytest.raises(AssertionError, match="branch"):
        forge(1, 4000, fields=["branch"])


def silent(agent: UserAgent, cause: str, flow: int | None, source: object) -> None:
    """Nothing is told."""


def throwing(agent: UserAgent, cause: str, flow: int | None, source: object) -> None:
    """A drop that throws dice: everything after it would be another life."""
    agent.put(MessageDropped(cause=cause, source=None, flow=flow, count=1))
    agent.random.random()


def remembering(agent: UserAgent, cause: str, flow: int | None, source: object) -> None:
    """A drop that is kept: whoever sends enough of them fills the memory."""
    agent.put(MessageDropped(cause=cause, source=None, flow=flow, count=1))
    agent._snapshot[cause] = ({}, 0.0, 0.0)


def hastening(agent: UserAgent, cause: str, flow: int | None, source: object) -> None:
    """A drop that has a timer."""
    agent.put(MessageDropped(cause=cause, source=None, flow=flow, count=1))
    agent.timers.arm(agent.flows[flow or 1], agent.now + 0.01)


@pytest.mark.parametrize(
    ("drop", "told"),
    [(silent, "were told"), (throwing, "dice"), (remembering, "another state"), (hastening, "another deadline")],
)
def test_a_drop_with_an_effect_is_found(
    drop: Callable[..., None], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(UserAgent, "drop", drop)
    with pytest.raises(AssertionError, match=told):
        forge(1, 600)


# --- requests --------------------------------------------------------------------------------------------------------


def ask(twins: Twins, random: Random, count: int) -> None:
    """Spoofed requests for every registration, each answered once, dropped with a cause, or handed over."""
    agent, now = twins.one.agent, twins.now
    sent = twins.sent()
    for item in sent:
        contact = (item.request.values("contact") or ["<sip:alice@192.0.2.10:40000>"])[0]
        made = spoofed_requests(
            random,
            contact.partition(">")[0].removeprefix("<"),
            item.request.to.uri_text,
            sent_to=item.sent_to,
            local=item.local,
        )
        for spoof in islice(made, count // len(sent)):
            agent.receive(item.flow, spoof.data, spoof.source, now=now)
            told = 0
            while (output := agent.next_output()) is not None:
                if isinstance(output, Transmit):
                    assert output.data.startswith(b"SIP/2.0 "), output.data
                else:
                    assert isinstance(output, MessageDropped | InboundRequest), output
                told += 1
            assert told == 1, f"{told} outputs for:\n{spoof.data.decode()}"
        if count and item.reliable:
            twins.hear(item.flow)


@pytest.mark.parametrize("seed", [1, FRESH_SEED])
def test_a_spoofed_request_changes_no_registration(seed: int) -> None:
    """Law: whatever is asked, the agent is what its twin is that nobody asked, and goes on as that does."""
    twins = Twins(seed)
    random = Random(seed)
    for moment in MOMENTS:
        twins.until(moment)
        ask(twins, random, REQUESTS // len(MOMENTS))
        twins.compare(f"requests of seed {seed} at {moment}")
    twins.until(220.0)
    twins.compare(f"all requests of seed {seed}")


def test_a_request_that_is_handed_over_changes_no_registration() -> None:
    """Law: the same when the application answers some of them; what it has to answer is remembered, no more."""
    twins = Twins(1, handles=("NOTIFY", "INVITE", "MESSAGE"))
    random = Random(1)
    for moment in MOMENTS:
        twins.until(moment)
        ask(twins, random, 300)
        twins.compare(f"requests at {moment}")


def test_a_request_with_an_effect_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    on_request = UserAgent.on_request

    def obedient(agent: UserAgent, flow, request, data, source, now):  # type: ignore[no-untyped-def] # as the method
        on_request(agent, flow, request, data, source, now)
        if request.method == "NOTIFY" and "terminated" in (request.get("subscription-state") or ""):
            agent._registrations["alice"].register(now)

    monkeypatch.setattr(UserAgent, "on_request", obedient)
    twins = Twins(1)
    twins.until(10.0)
    with pytest.raises(AssertionError):
        ask(twins, Random(1), 200)
        twins.compare("requests")
