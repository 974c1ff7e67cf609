"""The JSON Schema of a file, made from the same tables that read it."""

from __future__ import annotations

from collections.abc import Mapping

from sipcore.native.kinds import Schema
from sipcore.native.reader import EVERY
from sipcore.native.tables import CREDENTIAL, DEFAULTS, REGISTRATION, TRANSPORT, Option, record

__all__ = ["DIALECT", "schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_NAME = {"minLength": 1, "not": {"const": EVERY}}


def schema() -> Schema:
    """A JSON Schema (draft 2020-12) that editors and other programs can check a file with.

    It knows the types and the words, and the units that durations can have; what a URI or an address is, and whether a
    name has a table, only the reader knows.
    """
    return {
        "$schema": DIALECT,
        "title": "sipcore configuration",
        "description": "Registrations that sipcore keeps. Durations are seconds, or texts such as 90s and 10min.",
        "type": "object",
        "properties": {
            "profile": _described(REGISTRATION["profile"], "of all registrations that name none"),
            "defaults": {"$ref": "#/$defs/defaults", "description": "what all registrations have in common"},
            "transports": _named("transport", "how messages leave, by name"),
            "credentials": _named("credential", "what to log in with, by name"),
            "registrations": {**_named("registration", "the registrations, by name"), "minProperties": 1},
        },
        "required": ["registrations"],
        "additionalProperties": False,
        "$defs": {
            "transport": _table(TRANSPORT),
            "credential": _table(CREDENTIAL, "username"),
            "registration": _table(REGISTRATION, "aor"),
            "defaults": _table(DEFAULTS),
        },
    }


def _table(options: Mapping[str, Option], *required: str) -> Schema:
    found: Schema = dict(record(options).schema)
    return {**found, "required": list(required)} if required else found


def _named(kind: str, text: str) -> Schema:
    return {
        "type": "object",
        "description": text,
        "propertyNames": _NAME,
        "additionalProperties": {"$ref": f"#/$defs/{kind}"},
    }


def _described(option: Option, text: str) -> Schema:
    return {**option.kind.schema, "description": f"{option.text}; {text}"}
