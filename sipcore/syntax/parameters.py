"""`;name=value` lists, as they stand behind a URI or a header value (RFC 3261 section 25.1, generic-param)."""

from __future__ import annotations

from typing import Final

from sipcore.errors import LimitExceeded, RemoteProtocolError
from sipcore.syntax.grammar import TOKEN, end_of_quoted, visible
from sipcore.syntax.limits import MAX_PARAMETERS

__all__ = [
    "USUAL_PARAMETER",
    "Parameters",
    "format_parameters",
    "get",
    "parse_parameters",
]

Parameters = tuple[tuple[str, str | None], ...]
"""Names in lower case, in the order in which they came; values as they came, quoted strings with their quotes.

None is the value of a parameter that is only a name.
"""

# pname of RFC 3261 section 25.1 in a URI; wider than a token.
_PARAMETER_NAME: Final = TOKEN + "[]/:&$()"

USUAL_PARAMETER: Final = r"(?:;([-.!%*_+`'~0-9a-z]++)(?:=([-.!%*_+`'~0-9A-Za-z\[\]/:&$]++))?+)?+"
"""An expression (possessive, so linear) for no or one parameter as nearly all are: its name in lower case, no white
space, no quotation marks, no empty value. The groups are name and value."""


def parse_parameters(text: str, what: str) -> Parameters:
    """Parse `;a=b;c`; white space around `;` and `=` is allowed, an empty text has no parameters.

    `what` names the place in the error. Raises `RemoteProtocolError` for an empty name, a name that occurs twice or
    an unfinished quoted string, and `LimitExceeded` above `MAX_PARAMETERS`. Taken although the grammar says otherwise:
    an empty value, which is how some peers write a parameter without one; a value of any characters, but in a header
    no comma outside a quoted string; and in a header the names that only a URI may have (`[]/:&$()`).
    """
    pieces = text.split(";") if '"' not in text else _split_quoted(text, what)
    if pieces[0].strip(" \t"):
        raise RemoteProtocolError(f"{what}: expected ';' before {visible(text)}")
    del pieces[0]
    parameters: list[tuple[str, str | None]] = []
    for piece in pieces:
        name, equal, value = piece.partition("=")
        name = name.strip(" \t")
        if not name or name.strip(_PARAMETER_NAME):
            raise RemoteProtocolError(f"{what}: malformed parameter {visible(piece)}")
        name = name.lower()
        if not equal:
            parameters.append((name, None))
            continue
        value = value.strip(" \t")
        # Between angle brackets a comma does not end an element of ours, but one of others.
        if end_of_quoted(value, 0) != len(value) if value[:1] == '"' else "," in value and what != "URI":
            raise RemoteProtocolError(f"{what}: malformed parameter {visible(piece)}")
        parameters.append((name, value))
    if len(parameters) > MAX_PARAMETERS:
        raise LimitExceeded(f"{what}: more than {MAX_PARAMETERS} parameters")
    if len(dict(parameters)) != len(parameters):
        raise RemoteProtocolError(f"{what}: a parameter occurs twice in {visible(text)}")
    return tuple(parameters)


def get(parameters: Parameters, name: str) -> str | None:
    """The raw value of the parameter `name` (lower case): "" when it is only a name, None when it is absent."""
    for key, value in parameters:
        if key == name:
            return value if value is not None else ""
    return None


def format_parameters(parameters: Parameters) -> str:
    """The inverse of `parse_parameters`."""
    return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in parameters])


def _split_quoted(text: str, what: str) -> list[str]:
    pieces: list[str] = []
    start = 0
    semicolon = text.find(";")
    mark = text.find('"')
    while semicolon >= 0 or mark >= 0:
        if mark >= 0 and (semicolon < 0 or mark < semicolon):
            end = end_of_quoted(text, mark)
            if end < 0:
                raise RemoteProtocolError(f"{what}: a quoted string does not end in {visible(text)}")
            mark = text.find('"', end)
            if 0 <= semicolon < end:
                semicolon = text.find(";", end)
        else:
            pieces.append(text[start:semicolon])
            start = semicolon + 1
            semicolon = text.find(";", start)
    pieces.append(text[start:])
    return pieces
