"""What every driver has to do; a driver's own test file only plugs a platform in.

Nothing here sleeps or compares wall time: scenarios wait for what has to happen, with a fail-safe around them.
"""

from __future__ import annotations

from tests.drivers.contract_blocks import BlockContract
from tests.drivers.contract_commands import CommandContract
from tests.drivers.contract_failures import CancellationContract, FailureContract
from tests.drivers.contract_stories import StoryContract

__all__ = ["AsyncDriverContract", "DriverContract"]


class DriverContract(CommandContract, BlockContract, FailureContract, StoryContract):
    """For all drivers."""


class AsyncDriverContract(DriverContract, CancellationContract):
    """For drivers with cancellation."""
