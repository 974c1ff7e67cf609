"""The asyncio driver keeps the contract."""

from __future__ import annotations

from tests.drivers.contract import AsyncDriverContract
from tests.drivers.platforms import AsyncioPlatform


class TestContract(AsyncDriverContract):
    """See the contract."""

    platform = AsyncioPlatform()
