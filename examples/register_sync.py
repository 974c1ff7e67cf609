"""Keep one account registered and print its status; Ctrl-C un-registers.

python examples/register_sync.py sip:alice@example.com secret
"""

import sys

from sipcore import ConfigError
from sipcore_sync import Account, RegistrationFailed, registered

if len(sys.argv) != 3:
    sys.exit(__doc__)
try:
    with registered(Account(sys.argv[1], password=sys.argv[2])) as registration:
        for status in registration.statuses():
            print(status.state, status.server, status.cause)
except KeyboardInterrupt:
    pass
except (ConfigError, RegistrationFailed) as error:
    sys.exit(str(error))
