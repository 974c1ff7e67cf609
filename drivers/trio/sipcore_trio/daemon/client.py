"""The other end of the control socket: `show`, `send`, `reload`, `trace`, `record`. Blocking, on a plain socket."""

from __future__ import annotations

import argparse
import io
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

from sipcore_trio.daemon import codes
from sipcore_trio.daemon.render import detail, print_table

__all__ = [
    "Refused",
    "Unreachable",
    "asterisk",
    "be_lenient",
    "complain",
    "exchange",
    "explain",
    "record",
    "reload",
    "send",
    "show",
    "stop",
    "trace",
]

REPLY_TIMEOUT = 10.0
"""Seconds without a byte before the daemon counts as out of reach; it answers at once when it lives."""

DUMP_TIMEOUT = 60.0
"""The same while a recording is written down: what the daemon keeps of it in memory has to be put in order first."""

MAX_REPLY_LINE = 1 << 20
"""Bytes: one registration with the longest list of bindings stays far below."""


class Unreachable(Exception):
    """There is no daemon, or it does not answer; the text is for the user."""


class Refused(Exception):
    """The daemon says no; `code` is the exit status that it suggests."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def show(options: argparse.Namespace) -> int:
    """`sipcore show registrations` and `sipcore show registration NAME`."""
    one = options.what == "registration"
    request = {"command": "show", "name": options.name} if one else {"command": "show"}
    try:
        lines = list(exchange(options.control, request))
    except (Unreachable, Refused) as error:
        return complain(error)
    found = [line["registration"] for line in lines if "registration" in line]
    for note in lines[-1].get("notes", ()):
        print(f"sipcore: {note}", file=sys.stderr)
    if one and not found:
        return complain(Unreachable(f"what answers at {options.control} is no sipcore daemon"))
    be_lenient()
    if options.asterisk:
        quoted = "" if not one else options.name.replace("\\", "\\\\").replace('"', '\\"')
        text = f'pjsip show registration "{quoted}"' if one else "pjsip show registrations"
        try:
            _asterisk(options.control, text)
        except (Unreachable, Refused) as error:
            return complain(error)
    elif options.json:
        print(json.dumps(found[0] if one else found, indent=2, ensure_ascii=True))
    elif one:
        for line in detail(found[0], time.time()):
            print(line)
    else:
        print_table(found)
    # Of nothing at all one cannot say that it is registered.
    registered = bool(found) and all(item["state"] == "Registered" for item in found)
    return codes.OK if registered else codes.NOT_REGISTERED


def asterisk(options: argparse.Namespace) -> int:
    """`sipcore -rx COMMAND`: 0 when the command was carried out, 1 when it says that it failed."""
    be_lenient()
    try:
        return codes.OK if _asterisk(options.control, " ".join(options.line)) else codes.FAILED
    except (Unreachable, Refused) as error:
        return complain(error)


def _asterisk(control: str, text: str) -> bool:
    done = False
    for line in exchange(control, {"command": "asterisk", "line": text}):
        sys.stdout.write(line.get("piece", ""))
        done = bool(line.get("done", done))
    return done


def explain(options: argparse.Namespace) -> int:
    """`sipcore explain NAME`: 0 when there was something to explain."""
    be_lenient()
    try:
        for line in exchange(options.control, {"command": "explain", "name": options.name}):
            if "explanation" in line:
                if options.json:
                    print(json.dumps(line["explanation"], indent=2, ensure_ascii=True))
                else:
                    print("\n".join(line["lines"]))
    except (Unreachable, Refused) as error:
        return complain(error)
    return codes.OK


def send(options: argparse.Namespace) -> int:
    """`sipcore send register|unregister NAME|'*all'`: 0 when the daemon took the order."""
    return _order(options.control, {"command": options.action, "name": options.name})


def reload(options: argparse.Namespace) -> int:
    """`sipcore reload`: 0 when the new configuration is in force, 2 when it was refused and nothing changed."""
    return _order(options.control, {"command": "reload"})


def stop(options: argparse.Namespace) -> int:
    """`sipcore stop [--unregister]`: returns when the daemon has taken the order; it then ends as after SIGTERM."""
    return _order(options.control, {"command": "stop", "unregister": options.unregister})


def trace(options: argparse.Namespace) -> int:
    """`sipcore trace NAME`: prints until it is interrupted or the daemon ends."""
    be_lenient()
    try:
        for line in exchange(options.control, {"command": "trace", "name": options.name}, wait=None):
            if "trace" in line:
                print(line["trace"], flush=True)
            elif "note" in line:
                print(f"sipcore: {line['note']}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        return codes.INTERRUPTED
    except (Unreachable, Refused) as error:
        return complain(error)
    return codes.OK


def record(options: argparse.Namespace) -> int:
    """`sipcore record status` and `sipcore record dump [FILE|-]`."""
    lines = exchange(options.control, {"command": "record", "what": options.what}, wait=DUMP_TIMEOUT)
    be_lenient()
    try:
        if options.what == "dump":
            return _dump(lines, options.file)
        for line in lines:
            if "text" in line:
                print(line["text"])
    except (Unreachable, Refused) as error:
        return complain(error)
    return codes.OK


def _dump(lines: Iterator[dict[str, Any]], name: str) -> int:
    from sipcore_trio.daemon.checks import StartError
    from sipcore_trio.daemon.recording import create, default_name

    # The first answer is waited for: a daemon that is not there, or that records nothing, leaves no empty file.
    first = next(lines, {})
    if name == "-":
        for line in chain((first,), lines):
            sys.stdout.write(line.get("piece", ""))
        return codes.OK
    path = name or default_name()
    try:
        descriptor = create(path)
    except StartError as error:
        print(f"sipcore: {error}", file=sys.stderr)
        return codes.USAGE
    whole = False
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            for line in chain((first,), lines):
                file.write(line.get("piece", ""))
        whole = True
    finally:
        if not whole:
            # Half a recording would be taken for a whole one.
            with suppress(OSError):
                os.unlink(path)
    print(path)
    return codes.OK


def exchange(path: str, request: dict[str, Any], *, wait: float | None = REPLY_TIMEOUT) -> Iterator[dict[str, Any]]:
    """Send one request; yields the reply's lines, the last of which says ok.

    Raises `Unreachable`, and `Refused` when the daemon says no.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(REPLY_TIMEOUT)
        try:
            connection.connect(path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            connection.settimeout(wait)
            with connection.makefile("rb") as lines:
                while data := lines.readline(MAX_REPLY_LINE):
                    line = json.loads(data)
                    if line.get("ok") is False:
                        raise Refused(str(line.get("error")), int(line.get("code", codes.FAILED)))
                    yield line
                    if line.get("ok"):
                        return
        except TimeoutError:
            raise Unreachable(f"the daemon at {path} does not answer") from None
        except OSError as error:
            raise Unreachable(f"no daemon at {path}: {error.strerror or error}") from None
        except ValueError:
            raise Unreachable(f"what answers at {path} is no sipcore daemon") from None
    raise Unreachable(f"the daemon at {path} closed the connection")


def _order(path: str, request: dict[str, Any]) -> int:
    be_lenient()
    try:
        for line in exchange(path, request):
            for note in line.get("notes", ()):
                print(f"sipcore: {note}", file=sys.stderr)
            if line.get("text"):
                print(line["text"])
    except (Unreachable, Refused) as error:
        return complain(error)
    return codes.OK


def be_lenient() -> None:
    """Show what the locale cannot as escapes."""
    # A locale that lacks a character is no reason to show nothing.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def complain(error: Unreachable | Refused) -> int:
    """Say it, and give the exit status."""
    print(f"sipcore: {error}", file=sys.stderr)
    return error.code if isinstance(error, Refused) else codes.UNREACHABLE
