"""What holds for all tests: requirement ids are real and few, a missing peer program is never silent, and no secret is
seen (`tests.watch`)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

import tests.seeds  # noqa: F401 (drawn here, before the run is divided among processes)

pytest_plugins = ["pytester", "tests.watch"]

# No test depends on wall time, and one that is slow on a busy machine is no failure.
settings.register_profile("sipcore", deadline=None)
settings.load_profile("sipcore")

MAX_REQUIREMENTS = 3
"""A test that names more rows than this proves none of them well."""

PEERS = {"kamailio": "kamailio", "sipp": "sip-tester", "node": "nodejs"}
"""Peer program -> Debian package."""

_CATALOGUE = Path(__file__).with_name("requirements.txt")
_NAMED: pytest.StashKey[set[str]] = pytest.StashKey()


def find_peer(name: str) -> str | None:
    """The path of a peer program; users who are not root often lack the sbin directories in PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin")


def catalogue() -> list[str]:
    """The ids of all requirements, in the catalogue's order."""
    return _CATALOGUE.read_text(encoding="ascii").split()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--requirements", action="store_true", help="list the ids that no collected test names")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    known = set(catalogue())
    named = config.stash.setdefault(_NAMED, set())
    faults: dict[str, None] = {}
    for item in items:
        ids = [str(text) for mark in item.iter_markers("requirement") for text in mark.args]
        named.update(ids)
        place = item.nodeid.split("[")[0]
        if len(set(ids)) > MAX_REQUIREMENTS:
            faults[f"{place}: names {len(set(ids))} requirements, at most {MAX_REQUIREMENTS} are allowed"] = None
        faults.update({f"{place}: {text} is not in {_CATALOGUE.name}": None for text in ids if text not in known})
        faults.update(
            {
                f"{place}: {mark.args} is not a peer of {sorted(PEERS)}": None
                for mark in item.iter_markers("peer")
                if not mark.args or set(mark.args) - set(PEERS)
            }
        )
    if faults:
        raise pytest.UsageError("\n".join(faults))


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name in [name for mark in item.iter_markers("peer") for name in mark.args]:
        if find_peer(name) is None:
            reason = f"{name} is not installed; on Debian: apt-get install {PEERS[name]}"
            if os.environ.get("SIPCORE_REQUIRE_PEERS") == "1":
                pytest.fail(f"{reason} (SIPCORE_REQUIRE_PEERS=1)", pytrace=False)
            pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--requirements"):
        named = config.stash.get(_NAMED, set())
        missing = [text for text in catalogue() if text not in named]
        terminalreporter.section(f"requirements: {len(named)} named, {len(missing)} not")
        for text in missing:
            terminalreporter.write_line(text)
