"""Take the calls that a registration brings: this bot is always busy.

python examples/answer_calls.py sip:alice@example.com secret
"""

import asyncio
import sys

from sipcore import ConfigError, InboundRequest
from sipcore_asyncio import Account, Registration, RegistrationFailed, registered


def on_request(registration: Registration, request: InboundRequest) -> None:
    print(request.request.method, "from", request.request.get("from"))
    if request.request.method == "INVITE":
        registration.respond(request, 486, "Busy Here")
    elif request.request.method == "CANCEL":
        registration.respond(request, 200)


async def main() -> None:
    account = Account(sys.argv[1], password=sys.argv[2])
    async with registered(account, handles={"INVITE"}, on_request=on_request) as registration:
        print(registration.status.state)
        await asyncio.Event().wait()


if len(sys.argv) != 3:
    sys.exit(__doc__)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
except (ConfigError, RegistrationFailed) as error:
    sys.exit(str(error))
