"""A password that somebody wrote into a URI is not repeated by the error that refuses it."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.config import Account
from sipcore.errors import ConfigError
from tests.secrecy import PASSWORD


@pytest.mark.parametrize(
    "options",
    [
        {"registrar": "sip:u:hunter2@h"},
        {"registrar": "sips:u:hunter2@h"},
        {"registrar": "http://u:hunter2@h"},
        {"registrar": "tel:u:hunter2@h"},
        # The scheme was forgotten.
        {"registrar": "u:hunter2@h"},
        {"registrar": ":hunter2@h"},
        {"registrar": "u:hun:ter:hunter2@h"},
        {"registrar": "u@example.com:hunter2@h"},
        {"outbound_proxy": ("u:hunter2@h;lr",)},
        {"outbound_proxy": ("<u:hunter2@h;lr>",)},
        {"registrar": "sip:u:hunter2@h\r\n"},
        {"registrar": "sip:u:hunter2@h space"},
        {"outbound_proxy": ("<sip:u:hunter2@h;lr>",)},
        {"outbound_proxy": ("sip:u:hunter2@h;lr?x=y",)},
        {"outbound_proxy": ("<http://u:hunter2@h>",)},
        {"outbound_proxy": ('"x\r\n" <sip:u:hunter2@h>',)},
    ],
    ids=repr,
)
def test_a_password_in_a_uri_is_masked(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        Account("sip:alice@example.com", password=PASSWORD, **options)
    error: ConfigError = caught.value
    assert error.option == next(iter(options))
    for text in (str(error), repr(error), repr(error.args), repr(error.value), error.expected):
        assert "hunter2" not in text
    assert "***" in str(error)


@pytest.mark.parametrize("aor", ["sip:u:hunter2@h", "xx:u:hunter2@h", "SIP:u:hunter2@h space", "u:hunter2@h"])
def test_a_password_in_the_address_of_record_is_masked(aor: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Account(aor)
    assert "hunter2" not in f"{caught.value} {caught.value!r}"
