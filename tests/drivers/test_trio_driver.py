"""The trio driver keeps the contract."""

from __future__ import annotations

from tests.drivers.contract import AsyncDriverContract
from tests.drivers.platforms import TrioPlatform


class TestContract(AsyncDriverContract):
    """See the contract."""

    platform = TrioPlatform()
