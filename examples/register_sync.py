"""Keep one account registered and print its status; Ctrl-C un-registers.

python examples/register_sync.py sip:alice@example.com secret
"""

import sys

from sipcore_sync import Account, registered

account = Account(sys.argv[1], password=sys.argv[2])
with registered(account) as registration:
    for status in registration.statuses():
        print(status.state, status.server, status.cause)
