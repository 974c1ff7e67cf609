"""Keep one account registered and print its status; Ctrl-C un-registers.

python examples/register_trio.py sip:alice@example.com secret
"""

import sys

import trio

from sipcore import ConfigError
from sipcore_trio import Account, RegistrationFailed, registered


async def main() -> None:
    async with registered(Account(sys.argv[1], password=sys.argv[2])) as registration:
        async for status in registration.statuses():
            print(status.state, status.server, status.cause)


if len(sys.argv) != 3:
    sys.exit(__doc__)
try:
    trio.run(main)
except KeyboardInterrupt:
    pass
except (ConfigError, RegistrationFailed) as error:
    sys.exit(str(error))
