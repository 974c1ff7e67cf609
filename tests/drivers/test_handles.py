"""Which methods an application may say that it handles."""

from __future__ import annotations

from typing import Any

import pytest

from sipcore.config import Account
from sipcore.errors import ConfigError
from sipcore_sync import registered


@pytest.mark.parametrize("handles", ["INVITE", {"inv ite"}])
def test_what_is_no_set_of_methods_is_refused_before_anything_starts(handles: Any) -> None:
    with (
        pytest.raises(ConfigError) as caught,
        registered(Account("sip:alice@127.0.0.1"), handles=handles, on_request=lambda *_: None),
    ):
        pytest.fail("entered")
    assert caught.value.option == "handles"
