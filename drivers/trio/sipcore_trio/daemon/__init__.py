"""The daemon and the command line `sipcore`.

Theory of operation. `cli` parses arguments and imports only what the command needs. `run` is the daemon: it reads the
configuration, checks all that can be checked before anything is sent (file descriptors, local addresses, the control
socket), then keeps one `UserAgent` on one trio driver, and turns events into log lines (`narrator`), commands of the
control socket into calls of the agent (`control`), and signals into reload or stop. `client` is the other end of the
socket, on plain blocking sockets; `render` turns statuses into text. `recording` keeps what the agent did, in memory
and in a file, and `replaying` plays such a file back. `probe`, `registrar` and `demo` are programs of their own.

Everything runs in one task group of one thread; the agent decides, and nothing here knows a status code.
"""

from __future__ import annotations

__all__: list[str] = []
