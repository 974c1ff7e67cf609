"""Clients for what the daemon serves to those who watch; whatever they read is searched for secrets."""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from tests.daemon.conftest import PATIENCE, Process
from tests.secrecy import heard

__all__ = ["Reply", "Samples", "get", "samples", "served"]

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Reply:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()


def served(daemon: Process) -> tuple[str, int]:
    """Where the daemon serves HTTP."""
    found = re.search(r"on http://([0-9.]+):([0-9]+)", daemon.wait_for("serving /"))
    assert found is not None
    return found[1], int(found[2])


def get(address: tuple[str, int], path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Reply:
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
    try:
        connection.request(method, path, headers=dict(headers or {}))
        reply = Reply(connection.getresponse())
    finally:
        connection.close()
    heard(reply.body.decode("utf-8", "replace"), "what was served over HTTP")
    return reply


def samples(text: str) -> Samples:
    """By name and labels; no series comes twice."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, key
            found[key] = sample.value
    return found
