"""The blocks of AMI: actions as they arrive, responses and events as they leave.

A block is lines of `Name: value` ended by an empty line. What arrives may end its lines with LF alone, as Asterisk
allows. What leaves holds no control character but its line ends and tabs, whatever a value holds, so that no value can
begin a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["MAX_HEADERS", "MAX_LINE", "BlockReader", "Message", "block", "response"]

MAX_LINE: Final = 1024
"""Bytes of a line, as in Asterisk."""

MAX_HEADERS: Final = 64
"""Lines of an action; the longest known to anybody has a dozen. Asterisk takes 128."""


class Message:
    """One action. It has no repr of its own, since a Login holds a password."""

    __slots__ = ("fault", "headers")

    def __init__(self, headers: list[tuple[str, str]], fault: str = "") -> None:
        self.headers = headers
        self.fault = fault
        """Why it cannot be acted upon; empty when it can."""

    def get(self, name: str) -> str:
        """The value of a header, whose name is given in lower case; empty when there is none. The first counts."""
        return next((value for found, value in self.headers if found == name), "")

    @property
    def action(self) -> str:
        """The first `Action` that is not empty."""
        return next((value for found, value in self.headers if found == "action" and value), "")

    @property
    def action_id(self) -> str:
        """What the client calls this action."""
        return self.get("actionid")


class BlockReader:
    """Bytes in any pieces, actions out. Holds at most one line and one action, but for what `feed` was just given."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._headers: list[tuple[str, str]] = []
        self._count = 0
        self._fault = ""
        self._skipping = False

    @property
    def waiting(self) -> int:
        """Bytes that were not looked at yet."""
        return len(self._data)

    def feed(self, data: bytes) -> None:
        """More bytes."""
        self._data += data

    def next(self) -> Message | None:
        """The next whole action, if there is one."""
        start = 0
        found: Message | None = None
        while found is None:
            end = self._data.find(b"\n", start)
            if end < 0:
                break
            line, start = self._data[start:end], end + 1
            if self._skipping or len(line) > MAX_LINE:
                self._skipping = False
                self._count += 1
                self._fault = "Failed to parse message: line too long"
                continue
            if line.endswith(b"\r"):
                del line[-1:]
            found = self._line(bytes(line))
        del self._data[:start]
        if found is None and len(self._data) > MAX_LINE:
            # It goes on: what there is of it is forgotten, and so is the rest when it comes.
            self._skipping = True
            self._data.clear()
        return found

    def _line(self, line: bytes) -> Message | None:
        if line:
            self._count += 1
            if self._count > MAX_HEADERS:
                self._fault = self._fault or "Failed to parse message: too many lines"
            else:
                name, colon, value = line.decode("utf-8", "surrogateescape").partition(":")
                if colon:
                    self._headers.append((name.strip().lower(), value.strip(" \t")))
            return None
        if not self._count:
            return None
        message = Message(self._headers, self._fault)
        self._headers, self._count, self._fault = [], 0, ""
        return message


def block(fields: Iterable[tuple[str, str]]) -> bytes:
    """A block of fields in this order."""
    text = "".join(f"{name}: {_clean(value)}\r\n" for name, value in fields)
    return f"{text}\r\n".encode("utf-8", "surrogateescape")


def response(
    message: Message, kind: str, text: str = "", fields: Iterable[tuple[str, str]] = (), *, event_list: str = ""
) -> bytes:
    """An answer to an action: `Response`, `ActionID`, `EventList`, `Message` and what else there is."""
    head = [("Response", kind)]
    if message.action_id:
        head.append(("ActionID", message.action_id))
    if event_list:
        head.append(("EventList", event_list))
    if text:
        head.append(("Message", text))
    return block([*head, *fields])


def _clean(value: str) -> str:
    return value if value.isprintable() else value.translate(_CONTROLS)


_CONTROLS: Final[Mapping[int, str]] = dict.fromkeys((*range(9), *range(10, 32), 127), "?")
"""Everything but the tab."""
