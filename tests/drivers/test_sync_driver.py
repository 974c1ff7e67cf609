"""The sync driver keeps the contract."""

from __future__ import annotations

from tests.drivers.contract import DriverContract
from tests.drivers.platforms import SyncPlatform


class TestContract(DriverContract):
    """See the contract."""

    platform = SyncPlatform()
