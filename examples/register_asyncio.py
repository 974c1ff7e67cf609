"""Keep one account registered and print its status; Ctrl-C un-registers.

python examples/register_asyncio.py sip:alice@example.com secret
"""

import asyncio
import sys

from sipcore_asyncio import Account, registered


async def main() -> None:
    account = Account(sys.argv[1], password=sys.argv[2])
    async with registered(account) as registration:
        async for status in registration.statuses():
            print(status.state, status.server, status.cause)


asyncio.run(main())
