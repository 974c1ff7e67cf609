"""Via: the way that a request took and its response takes back (RFC 3261 section 20.42)."""

from __future__ import annotations

from typing import Final, NamedTuple

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.expressions import compile_possessive
from sipcore.syntax.grammar import USUAL_HOST, USUAL_PORT, is_token, parse_host_port, visible
from sipcore.syntax.limits import MAX_PORT
from sipcore.syntax.parameters import USUAL_PARAMETER, Parameters, format_parameters, get, parse_parameters

__all__ = ["Via", "parse_via"]


class Via(NamedTuple):
    """One hop that a request took and a response takes back (RFC 3261 section 20.42)."""

    protocol: str
    """The transport, in capitals."""
    host: str
    """IPv6 in brackets."""
    port: int | None
    parameters: Parameters

    @classmethod
    def parse(cls, text: str) -> Via:
        """See `parse_via`."""
        return parse_via(text)

    @property
    def branch(self) -> str | None:
        """The transaction's identity (RFC 3261 section 8.1.1.7); None from peers of RFC 2543."""
        for name, value in self.parameters:
            if name == "branch":
                return value or ""
        return None

    @property
    def received(self) -> str | None:
        """The address that the server saw, without brackets (RFC 3261 section 18.2.1, RFC 5118 section 4.5)."""
        for name, value in self.parameters:
            if name == "received":
                return value[1:-1] if value and value[0] == "[" and value[-1] == "]" else value or ""
        return None

    @property
    def rport(self) -> int | None:
        """The port that the server saw (RFC 3581); None when absent, not yet filled in, or no port."""
        for name, value in self.parameters:
            if name == "rport" and value is not None:
                port = int(value) if value.isdecimal() and value.isascii() and len(value) < 10 else 0
                return port if 0 < port <= MAX_PORT else None
        return None

    @property
    def wants_rport(self) -> bool:
        """True when the client asks for the response to come back to its source port (RFC 3581 section 3)."""
        return get(self.parameters, "rport") is not None

    def get(self, name: str) -> str | None:
        """The raw value of a parameter: "" when it is only a name, None when it is absent."""
        for key, value in self.parameters:
            if key == name:
                return value or ""
        return None if name.islower() else get(self.parameters, name.lower())

    def with_received(self, host: str, port: int) -> Via:
        """What the server makes of it: `received`, and `rport` when asked for (RFC 3261 18.2.1, RFC 3581 4).

        `host` is an IP literal without brackets. `received` is left out when the sent-by says the same and nobody
        asked for rport.
        """
        wants = self.wants_rport
        kept = [(name, value) for name, value in self.parameters if name != "received"]
        if wants:
            kept = [(name, str(port) if name == "rport" else value) for name, value in kept]
        if wants or self.host.strip("[]").lower() != host.lower():
            kept.append(("received", host))
        return self._replace(parameters=tuple(kept))

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.protocol} {self.host}{port}{format_parameters(self.parameters)}"


def parse_via(text: str) -> Via:
    """Parse one Via value (RFC 3261 section 20.42). Raises `RemoteProtocolError`."""
    match = _usual_via(text)
    if match is not None:
        protocol, host, port, first, one, second, two, third, three, more = match.groups()
        parameters: Parameters
        if more is not None or (second is not None and (second in (first, third) or third == first)):
            parameters = parse_parameters(text[text.index(";") :], "Via")
        elif third is not None:
            parameters = ((first, one), (second, two), (third, three))
        elif second is not None:
            parameters = ((first, one), (second, two))
        else:
            parameters = () if first is None else ((first, one),)
        return _new(Via, (protocol, host, None if port is None else int(port), parameters))
    semicolon = text.find(";")
    sent = text[:semicolon] if semicolon >= 0 else text
    protocol, sent_by = _split_via(sent)
    name, place = parse_host_port(sent_by)
    return Via(protocol, name, place, parse_parameters(text[semicolon:], "Via") if semicolon >= 0 else ())


_usual_via: Final = compile_possessive(
    rf"SIP/2\.0/(UDP|TCP|TLS|WSS?) ({USUAL_HOST})(?::({USUAL_PORT}))?+{USUAL_PARAMETER * 3}(;.*+)?+"
).fullmatch

# The constructor is a Python function, which would cost as much as finding the values.
_new: Final = tuple.__new__


def _split_via(sent: str) -> tuple[str, str]:
    # White space may stand around the slashes, and names of protocols may have any case (RFC 3261 section 7.3.1).
    name, _, rest = sent.replace("\t", " ").partition("/")
    version, _, rest = rest.partition("/")
    transport, _, sent_by = rest.strip(" ").partition(" ")
    if name.strip(" ").lower() != "sip" or version.strip(" ") != "2.0" or not is_token(transport):
        raise RemoteProtocolError(f"Via: malformed protocol in {visible(sent)}")
    return transport.upper(), _without_space(sent_by)


def _without_space(sent_by: str) -> str:
    # White space may stand around the colon before the port, not inside the host.
    sent_by = sent_by.replace("\t", " ").strip(" ")
    if sent_by[-1:] == "]":
        return sent_by  # Its last colon is one of the address.
    host, colon, port = sent_by.rpartition(":")
    return f"{host.rstrip(' ')}{colon}{port.lstrip(' ')}"
