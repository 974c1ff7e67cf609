"""Our own configuration file: TOML, with names that say what they mean and the profile SIPCORE by default.

Theory of operation. `tomllib` makes a document of the text, and `source` finds again in which line a key stands.
`tables` says which options there are; it is made from the fields of `Account`, `Transport`, `Timing`, `SocketOptions`
and `Credential`, so that what the engine can do the file can say. `kinds` reads each value by its shape alone, and has
the JSON Schema of that shape beside it; `schema` puts these together. `reader` then settles names, inheritance and
secrets and makes the accounts, which judge for themselves what a value means. The first fault refuses the file, with
`file:line` where the text has one; `examine` goes on and tells them all.

The way back: `to_toml` and `to_pjsip` write accounts as text, and `convert` does so with a whole file. What was written
is read again by the reader of the other form and compared, account by account: what differs is told in
`Converted.notes` and at the head of the text, so that nothing gets lost in silence.

Nothing here opens a file. Secrets that stand elsewhere come through a `SecretSource`, which the daemon supplies.
"""

from __future__ import annotations

from collections.abc import Callable

from sipcore.asterisk.faults import FileFault
from sipcore.errors import ConfigError
from sipcore.native.conversion import ENDING, Converted, convert, to_pjsip, to_toml
from sipcore.native.examination import examine
from sipcore.native.reader import Reader
from sipcore.native.schema import schema
from sipcore.native.secrets import SecretSource
from sipcore.native.source import Place, Source
from sipcore.settings import Configuration

__all__ = [
    "ENDING",
    "Converted",
    "SecretSource",
    "convert",
    "examine",
    "load",
    "parse",
    "schema",
    "to_pjsip",
    "to_toml",
]


def load(file: str, read: Callable[[str], bytes], *, secrets: SecretSource) -> Configuration:
    """Read a TOML file through `read`, which may raise `OSError`. Raises `ConfigError`."""
    try:
        data = read(file)
    except OSError as error:
        raise FileFault("file", f"cannot be read: {error.strerror or type(error).__name__}", where=file) from None
    return _configuration(Source(data, file=file), secrets)


def parse(text: str, *, file: str = "sipcore.toml", secrets: SecretSource) -> Configuration:
    """What a TOML text says. Raises `ConfigError` with `file:line` where there is one."""
    return _configuration(Source(text.encode("utf-8", "surrogatepass"), file=file), secrets)


def _configuration(source: Source, secrets: SecretSource | None) -> Configuration:
    return Reader(source, secrets, _stop).read()


def _stop(place: Place, error: ConfigError) -> None:
    raise error
