"""Keep one account registered and print its status; Ctrl-C un-registers.

python examples/register_asyncio.py sip:alice@example.com secret
"""

import asyncio
import sys

from sipcore import ConfigError
from sipcore_asyncio import Account, RegistrationFailed, registered


async def main() -> None:
    async with registered(Account(sys.argv[1], password=sys.argv[2])) as registration:
        async for status in registration.statuses():
            print(status.state, status.server, status.cause)


if len(sys.argv) != 3:
    sys.exit(__doc__)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
except (ConfigError, RegistrationFailed) as error:
    sys.exit(str(error))
