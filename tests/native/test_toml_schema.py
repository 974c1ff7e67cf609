"""The JSON Schema and the reader agree, and the schema is one."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import ConfigError
from sipcore.native import schema
from sipcore.native.reader import TOP, check_shape
from sipcore.native.source import Source, quoted
from sipcore.native.tables import REGISTRATION, TABLES
from tests.native.toml_tools import ALICE, read

EXAMPLE = Path(__file__).parents[2] / "examples" / "sipcore.toml"

VALIDATOR = jsonschema.Draft202012Validator(schema())


def accepted_by_schema(document: object) -> bool:
    return bool(VALIDATOR.is_valid(document))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert json.loads(json.dumps(schema())) == schema()


def test_every_option_is_described() -> None:
    found = schema()
    for name in ("transport", "credential", "registration", "defaults"):
        for option, part in found["$defs"][name]["properties"].items():
            assert part["description"], option
    assert set(found["properties"]) == set(TOP)
    assert found["$defs"]["registration"]["required"] == ["aor"]


def test_the_example_is_valid() -> None:
    VALIDATOR.validate(tomllib.loads(EXAMPLE.read_text("utf-8")))


# --- the law ---------------------------------------------------------------------------------------------------------

scalars = st.one_of(
    st.sampled_from(["", "10min", "1.5h", "500ms", "10 min", "udp", "ASTERISK", "temporary", "MD5", "X: y", "sip:a@h"]),
    st.text("abc:", max_size=3),
    st.integers(-2, 3),
    st.sampled_from([0.0, 0.5, 2.0, -1.0, float("inf")]),
    st.booleans(),
)
keys = st.sampled_from(["file", "env", "credential", "t1", "timeout", "tos", "MD5", "SHA-256", "other", "x"])
values = st.one_of(scalars, st.lists(scalars, max_size=2), st.dictionaries(keys, scalars, max_size=2))


def table(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    options = st.sampled_from([*TABLES[kind], "other"])
    return st.dictionaries(options, values, max_size=3).map(
        lambda found: {"aor": "sip:a@h", **found} if kind == "registrations" else {"username": "u", **found}
        if kind == "credentials" else found
    )  # fmt: skip


documents = st.fixed_dictionaries(
    {
        "registrations": st.one_of(
            st.dictionaries(st.sampled_from("ab"), table("registrations"), min_size=1, max_size=2)
        )
    },
    optional={
        "profile": values,
        "defaults": table("registrations").map(lambda found: {key: found[key] for key in found if key != "aor"}),
        "transports": st.dictionaries(st.sampled_from(["t", "*all"]), table("transports"), max_size=1),
        "credentials": st.one_of(scalars, st.dictionaries(st.sampled_from("c"), table("credentials"), max_size=1)),
        "other": scalars,
    },
)


def as_toml(value: Any) -> str:
    """JSON is TOML but for the signs between keys and values, and infinity."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{quoted(key)} = {as_toml(item)}' for key, item in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(as_toml, value))}]"
    return quoted(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)


def source(document: dict[str, Any]) -> Source:
    made = Source("".join(f"{key} = {as_toml(value)}\n" for key, value in document.items()).encode(), file="s.toml")
    assert made.document == document
    return made


@given(documents)
@settings(max_examples=300)
def test_schema_and_reader_agree_on_the_shape(document: dict[str, Any]) -> None:
    """Law: of a document that has what is required, the schema accepts exactly what the reader does not refuse for its
    keys and types. What a value means (a URI, a range, a name) is for the reader alone."""
    error = None
    try:
        check_shape(source(document))
    except ConfigError as found:
        error = found
    assert accepted_by_schema(document) is (error is None), (error, list(VALIDATOR.iter_errors(document)))


@given(documents)
@settings(max_examples=100)
def test_what_the_reader_accepts_the_schema_accepts(document: dict[str, Any]) -> None:
    """Law: no configuration that is in use is underlined by an editor."""
    text = source(document).text
    try:
        read(text)
    except ConfigError:
        return
    assert accepted_by_schema(document), list(VALIDATOR.iter_errors(document))


def test_what_is_required() -> None:
    assert accepted_by_schema(tomllib.loads(ALICE))
    assert not accepted_by_schema({})
    assert not accepted_by_schema({"registrations": {}})
    assert not accepted_by_schema({"registrations": {"a": {}}})
    assert not accepted_by_schema({"registrations": {"": {"aor": "sip:a@h"}}})
    assert not accepted_by_schema({"registrations": {"*all": {"aor": "sip:a@h"}}})
    assert not accepted_by_schema({"credentials": {"c": {"password": "x"}}, **tomllib.loads(ALICE)})


def test_each_option_refuses_a_wrong_type() -> None:
    """A row for each option: a number where a text is needed, a text where a table is."""
    for option in REGISTRATION:
        document = {"registrations": {"a": {"aor": "sip:a@h", option: {"wrong": 1}}}}
        assert not accepted_by_schema(document), option
