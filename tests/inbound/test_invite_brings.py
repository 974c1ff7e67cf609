"""Who handles INVITE handles what belongs to it."""

from __future__ import annotations

from random import Random

from sipcore.agent import UserAgent


def test_invite_brings_ack_and_cancel() -> None:
    agent = UserAgent(random=Random(1), handles={"INVITE"})
    assert agent.handles == {"INVITE", "ACK", "CANCEL"}
    assert set(agent.allowed.split(", ")) == {"INVITE", "ACK", "CANCEL", "OPTIONS"}


def test_others_bring_nothing() -> None:
    assert UserAgent(random=Random(1), handles={"MESSAGE"}).handles == {"MESSAGE"}
