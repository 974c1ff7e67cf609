"""Every text that configuration can hold has a slot, and nobody but the slots judges what may be sent."""

# ruff: noqa: E501 -- each class's row stays a row

from __future__ import annotations

import ast
import importlib
import pkgutil
import types
import typing
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

import sipcore
from sipcore.auth.credentials import CREDENTIAL_SLOTS, Credential
from sipcore.auth.policy import AuthPolicy
from sipcore.config import ACCOUNT_SLOTS, TRANSPORT_SLOTS, Account, Timing, Transport
from sipcore.errors import ConfigError
from sipcore.profiles import PROFILE_SLOTS, SIPCORE, Counted, Profile, TooBriefRule
from sipcore.registrar.policy import POLICY_SLOTS, RegistrarPolicy
from sipcore.syntax.slots import SlotTable
from sipcore.values import Secret, SocketOptions

CORE = Path(sipcore.__file__).parent

TABLES: dict[type, SlotTable] = {
    Account: ACCOUNT_SLOTS,
    Transport: TRANSPORT_SLOTS,
    Timing: {},
    SocketOptions: {},
    Credential: CREDENTIAL_SLOTS,
    Profile: PROFILE_SLOTS,
    RegistrarPolicy: POLICY_SLOTS,
}
"""Each class that configuration makes, and the slots of its texts."""

NOT_SENT = {
    AuthPolicy: {"qops": "sent only when it equals one that the server offered"},
    Counted: {"options": "names of options"},
    TooBriefRule: {"guess": "one of three words of the table"},
    Profile: {"defaults": "become options of the account, which has slots for them"},
}
"""Texts of configuration that reach no message, and why."""


def texts(kind: Any) -> bool:
    """Whether a value of this type holds a text of the application: str itself, not an enumeration of ours."""
    if isinstance(kind, typing.TypeVar):
        return False
    if kind is str or kind is Secret or kind is object:
        return True
    if typing.get_origin(kind) in (types.UnionType, typing.Union) or typing.get_args(kind):
        return any(texts(part) for part in typing.get_args(kind) if part is not Ellipsis)
    return False


def options_with_texts(of: type) -> set[str]:
    hints = typing.get_type_hints(of)
    return {item.name for item in fields(of) if texts(hints[item.name])}


def classes() -> set[type]:
    """All dataclasses of the core."""
    found: set[type] = set()
    for module in pkgutil.walk_packages(sipcore.__path__, "sipcore."):
        if ".testing" not in module.name:
            for item in vars(importlib.import_module(module.name)).values():
                if isinstance(item, type) and is_dataclass(item) and item.__module__.startswith("sipcore."):
                    found.add(item)
    return found


@pytest.mark.parametrize("of", TABLES, ids=lambda of: of.__name__)
def test_every_text_of_configuration_has_a_slot(of: type) -> None:
    """A new option of type str fails here until its slot is named."""
    assert options_with_texts(of) - set(NOT_SENT.get(of, {})) == set(TABLES[of])


def test_every_class_that_checks_itself_is_in_the_table() -> None:
    """Configuration is what refuses bad values when it is made; plain values are made by the core alone."""
    checked = {item for item in classes() if "__post_init__" in vars(item)}
    assert checked == set(TABLES)


def test_what_configuration_holds_is_checked_as_well() -> None:
    """A class that an option of configuration may have as its value is in the table, or has no text that is sent."""
    for of in (*TABLES, *(item for item in classes() if item.__module__ == "sipcore.profiles")):
        for kind in typing.get_type_hints(of).values():
            for part in (kind, *typing.get_args(kind)):
                if isinstance(part, type) and is_dataclass(part) and part not in TABLES:
                    assert options_with_texts(part) <= set(NOT_SENT.get(part, {})), part
        if of not in TABLES:
            assert options_with_texts(of) <= set(NOT_SENT.get(of, {})), of


def test_the_tables_are_what_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row of a table is asked: a slot that refuses everything makes its option be refused by name."""
    from sipcore.syntax.slots import SlotError

    def refuse(value: object) -> object:
        raise SlotError("shown", "nothing")

    given: dict[type, tuple[str, dict[str, Any]]] = {
        Account: ("sipcore.config", {
            "aor": "sip:bob@example.com", "password": "x", "name": "n", "username": "u", "registrar": "sip:h", "outbound_proxy": ("sip:h",),
            "contact_user": "u", "contact_parameters": ";x", "contact_header_parameters": ";x", "supported": ("path",), "allow": ("A",),
            "user_agent": "x", "extra_headers": (("X", "1"),),
        }),
        Transport: ("sipcore.config", {"local": ("192.0.2.1", 1)}),
        Credential: ("sipcore.auth.credentials", {"username": "u", "realm": "r", "password": Secret("x")}),
        Profile: ("sipcore.profiles", {"default_contact_user": "u"}),
        RegistrarPolicy: ("sipcore.registrar.policy", {"realm": "r", "domains": ("h",), "server": "s"}),
    }  # fmt: skip
    standing: dict[type, dict[str, Any]] = {
        Account: {"aor": "sip:alice@example.com", "password": "x"},
        Credential: {"username": "u", "password": Secret("x")},
        Profile: {item.name: getattr(SIPCORE, item.name) for item in fields(Profile)},
    }
    names = {Account: "ACCOUNT", Transport: "TRANSPORT", Credential: "CREDENTIAL", Profile: "PROFILE", RegistrarPolicy: "POLICY"}
    for of, (module, values) in given.items():
        for option, value in values.items():
            table = {**TABLES[of], option: refuse}
            with monkeypatch.context() as patch:
                patch.setattr(f"{module}.{names[of]}_SLOTS", table)
                with pytest.raises(ConfigError) as caught:
                    of(**{**standing.get(of, {}), option: value})
            assert (caught.value.option, caught.value.expected) == (option, "nothing")


PREDICATES = {"check_line", "check_user", "check_escapes"}
READERS = {"syntax", "asterisk/syntax.py", "asterisk/lines.py", "asterisk/identification.py"}
"""Where texts are judged: the room that knows the grammar, the reader of a file that names the bad character, and who
compares what came with what a file says."""


def test_nobody_else_judges_what_may_be_sent() -> None:
    wrong = []
    for path in (*CORE.rglob("*.py"), *(CORE.parent / "drivers").rglob("*.py")):
        place = path.relative_to(CORE.parent).as_posix().removeprefix("sipcore/")
        if place in READERS or place.split("/")[0] in READERS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "grammar":
                names.append(node.attr)
            wrong += [f"{place} uses {name}; see sipcore.syntax.slots" for name in names if name in PREDICATES]
    assert wrong == []
