"""The page about the file says what the file can say."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from sipcore import native
from sipcore.native.tables import CREDENTIAL, REGISTRATION, SOCKET, TIMING, TRANSPORT, Option
from tests.native.toml_tools import Vault, read

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs" / "configuration.md").read_text("utf-8")


@pytest.mark.parametrize(
    "options",
    [REGISTRATION, TIMING, TRANSPORT, SOCKET, CREDENTIAL],
    ids=["registration", "timing", "transport", "socket", "credential"],
)
def test_every_option_has_its_row(options: dict[str, Option]) -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    for name, option in options.items():
        found = [row for row in rows if row.startswith(f"| `{name}` | ") and row.endswith(f" | {option.text} |")]
        assert len(found) == 1, name


def test_the_example_of_the_page_works() -> None:
    example = PAGE.partition("```toml\n")[2].partition("```")[0]
    configuration = read(example)
    assert configuration.warnings == ()
    assert [found.name for found in configuration.accounts] == ["office"]
    assert configuration.accounts[0].expires == 600


def test_the_example_file_works() -> None:
    text = (TOP / "examples" / "sipcore.toml").read_text("utf-8")
    configuration = native.parse(text, secrets=Vault())
    assert configuration.warnings == ()
    assert configuration.secret
    assert [found.name for found in configuration.accounts] == ["trunk-alice", "trunk-bob"]
    assert [len(found.credentials) for found in configuration.accounts] == [1, 1]
    assert set(tomllib.loads(text)) == {"transports", "credentials", "defaults", "registrations"}


def test_the_two_examples_say_much_the_same() -> None:
    """A reader who knows one form finds in the example of the other what is where."""
    from sipcore import asterisk

    ours = native.parse((TOP / "examples" / "sipcore.toml").read_text("utf-8"), secrets=Vault()).accounts
    theirs = asterisk.parse((TOP / "examples" / "pjsip.conf").read_text("utf-8")).accounts
    for one, other in zip(ours, theirs, strict=True):
        for field in (
            "name",
            "aor",
            "registrar",
            "outbound_proxy",
            "user_agent",
            "expires",
            "max_random_initial_delay",
        ):
            assert getattr(one, field) == getattr(other, field), field
        assert [found.username for found in one.credentials] == [found.username for found in other.credentials]
