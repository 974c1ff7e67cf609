"""What a response needs of a request that cannot be read (RFC 3261 section 8.2.6).

A message that `parse_message` refuses may still say who sent it and how its sender will know the answer. `salvage`
reads that and nothing else, and by other rules: it looks for the five headers that a response carries back and passes
over everything around them, however broken.

It is careful in the other direction instead. An answer to what was no request could start a loop of answers, so what
is not surely a request is none. An answer carries back text of a stranger, so a value with a CR, LF or NUL in it is
left out.
"""

from __future__ import annotations

from typing import Final

from sipcore.errors import RemoteProtocolError
from sipcore.syntax.grammar import is_token, split_list
from sipcore.syntax.limits import MAX_HEADERS, MAX_PARAMETERS
from sipcore.syntax.message import Request
from sipcore.syntax.names import header_key
from sipcore.syntax.parameters import Parameters, parse_parameters
from sipcore.syntax.via import parse_via

__all__ = ["salvage"]


def salvage(data: bytes) -> Request | None:
    """Of a request that is broken, as much as a response to it needs; None when it cannot or must not be answered.

    The request has its method and, as far as they were found, Via, From, To, Call-ID and CSeq as they stand; its `via`
    can be read. It is for `make_response` and its like, never to be acted upon. A top Via that cannot be read is
    written anew: of our version, with those of its parameters that can be read.

    None for a response, for what does not begin like a request (a method and, at the end of the first line, some
    version of SIP), for an ACK, and without a Via that says where the answer goes. Headers that were cut off count as
    far as their lines are whole. Raises nothing.
    """
    begin = 0
    while data[begin : begin + 2] == b"\r\n":
        begin += 2
    end = data.find(b"\r\n\r\n", begin)
    if end < 0:
        end = data.rfind(b"\r\n", begin)
    start, *lines = data[begin : max(end, begin)].decode("utf-8", "surrogateescape").split("\r\n")
    words = [word for word in start.replace("\t", " ").split(" ") if word]
    if len(words) < 3 or not is_token(words[0]) or words[-1][:4].upper() != "SIP/" or _breaks_out(start):
        return None
    found = _needed(lines)
    vias = _answerable_vias(found["via"])
    # Whose method is damaged can still be an ACK by its CSeq.
    methods = (words[0], *[value.replace("\t", " ").rpartition(" ")[2] for value in found["cseq"]])
    if vias is None or "ACK" in [method.upper() for method in methods]:
        return None
    found["via"] = vias
    headers = [(name, value) for key, name in _NAMES.items() for value in found[key]]
    return Request(words[0], " ".join(words[1:-1]), headers)


_NAMES: Final = {"via": "Via", "from": "From", "to": "To", "call-id": "Call-ID", "cseq": "CSeq"}


def _needed(lines: list[str]) -> dict[str, list[str]]:
    """The values of the headers that a response carries back, folding undone."""
    folded: list[list[str]] = []
    for line in lines:
        if line[:1] not in (" ", "\t"):
            folded.append([line])
        elif folded:
            folded[-1].append(line.strip(" \t"))
    found: dict[str, list[str]] = {key: [] for key in _NAMES}
    for first, *more in folded:
        name, colon, value = first.partition(":")
        key = header_key(name.rstrip(" \t"))
        if colon and key in found:
            value = " ".join([value, *more]).strip(" \t")
            if not _breaks_out(value):
                found[key].append(value)
    return found


def _answerable_vias(lines: list[str]) -> list[str] | None:
    """The lines as they stand when the top Via can be read, else all that can be read of them; None for nothing."""
    items = split_list(lines[0]) if lines else []
    if not items or len(lines) > MAX_HEADERS:
        return None
    if _is_via(items[0]):
        return lines
    sent, _, tail = items[0].partition(";")
    name, _, version = sent.partition("/")
    try:
        # Who speaks another version can be told so in ours only (RFC 4475 section 3.1.2.16).
        top = parse_via(f"{name}/2.0/{version.partition('/')[2]}")
    except RemoteProtocolError:
        return None
    others = [*items[1:], *[item for line in lines[1:] for item in split_list(line)]]
    return [str(top._replace(parameters=_readable(tail))), *[item for item in others if _is_via(item)]]


def _readable(text: str) -> Parameters:
    """The parameters that can be read, each name once: of most interest are branch and rport."""
    found: dict[str, str | None] = {}
    for piece in text.split(";"):
        try:
            ((name, value),) = parse_parameters(f";{piece}", "Via")
        except RemoteProtocolError:
            continue
        if len(found) < MAX_PARAMETERS:
            found.setdefault(name, value)
    return tuple(found.items())


def _is_via(text: str) -> bool:
    try:
        parse_via(text)
    except RemoteProtocolError:
        return False
    return True


def _breaks_out(text: str) -> bool:
    return "\r" in text or "\n" in text or "\0" in text
