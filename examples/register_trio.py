"""Keep one account registered and print its status; Ctrl-C un-registers.

python examples/register_trio.py sip:alice@example.com secret
"""

import sys

import trio

from sipcore_trio import Account, registered


async def main() -> None:
    account = Account(sys.argv[1], password=sys.argv[2])
    async with registered(account) as registration:
        async for status in registration.statuses():
            print(status.state, status.server, status.cause)


trio.run(main)
