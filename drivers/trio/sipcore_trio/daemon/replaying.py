"""`sipcore replay`: plays a recording back, lists it, draws it, or makes a packet capture of it.

Nothing here goes to the network or waits for a clock. What is printed came from a file that may be a stranger's, so all
of it passes through what the core makes safe for terminals.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import chain, islice
from math import inf
from random import Random
from typing import TextIO

from sipcore.agent import UserAgent
from sipcore.config import Account
from sipcore.errors import ConfigError
from sipcore.profiles import ASTERISK
from sipcore.replay import Difference, Recording, ReplayError, compare, ladder, listing, mermaid, pcap, play, read
from sipcore.replay.labels import Labels
from sipcore.replay.recording import MAX_LINE as MAX_DOCUMENT_LINE
from sipcore.replay.story import Story, selected
from sipcore.syntax.grammar import visible
from sipcore.values import Secret
from sipcore_trio.daemon import codes
from sipcore_trio.daemon.checks import StartError, load_file
from sipcore_trio.daemon.narrator import counted
from sipcore_trio.daemon.probe import read_password
from sipcore_trio.daemon.recording import create

__all__ = ["replay"]

SHOWN_LABELS = 5
"""Labels of secrets named in an error."""

MAX_LINE = 400
"""Characters of a line of a difference."""

PLAN_HINT = "; a plan of the simulation is lived again by: python -m sipcore.testing.sim --plan FILE"
"""Added where the name ends as that of a plan, which stands beside the recording of its life."""

NOTHING = "the recording has no steps: nothing happened to the agent"


def replay(options: argparse.Namespace) -> int:
    """Exit status 0 when the run is identical or was drawn, 1 for a difference, 2 for what cannot be used."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A locale that lacks a character is no reason to show nothing.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        _check_options(options)
        recording = _read(options.file)
        _check_range(options, recording)
        secrets = _secrets(options, recording)
        if options.name is not None:
            _check_name(options.name, recording)
        if options.ladder or options.mermaid:
            return _draw(options, recording)
        if options.pcap is not None:
            return _capture(options, recording)
        if options.step:
            return _steps(options, recording, secrets)
        return _tell(recording, *_compare(recording, secrets))
    except _Unusable as error:
        print(f"sipcore: {visible(str(error), 1000)}", file=sys.stderr)
    except ReplayError as error:
        hint = PLAN_HINT if options.file.endswith(".json") else ""
        print(f"sipcore: {visible(f'{options.file}: {error}{hint}', 1000)}", file=sys.stderr)
    except (ConfigError, StartError) as error:
        print(f"sipcore: {error}", file=sys.stderr)
    return codes.USAGE


class _Unusable(Exception):
    """Something in the arguments; the text is for the user."""


def _check_options(options: argparse.Namespace) -> None:
    drawn = options.ladder or options.mermaid
    choices = (("from", options.first), ("to", options.last), ("name", options.name))
    asked = [f"--{word}" for word, value in choices if value is not None]
    if asked and not (options.step or drawn or options.pcap is not None):
        raise _Unusable(f"{asked[0]}: chooses what is shown, so it needs --step, --ladder, --mermaid or --pcap")
    if options.pcap is not None and options.name is not None:
        raise _Unusable("--name: a packet capture has all registrations; the filters of its readers choose")
    if (options.secret or options.config is not None) and (drawn or options.pcap is not None):
        word = "--secret" if options.secret else "--config"
        raise _Unusable(f"{word}: passwords serve to play, and --ladder, --mermaid and --pcap play nothing")
    if options.first is not None and options.last is not None and options.first > options.last:
        raise _Unusable(f"--to: {options.last} stands before --from, which is {options.first}")


def _check_range(options: argparse.Namespace, recording: Recording) -> None:
    last = _last(recording)
    if options.first is not None and options.first > last:
        raise _Unusable(f"--from: {options.first} stands behind the last step, which is {last}" if last else NOTHING)


def _last(recording: Recording) -> int:
    """The number of the last step; 0 when there is none."""
    return max((segment.steps[-1].number for segment in recording.segments if segment.steps), default=0)


def _chosen(options: argparse.Namespace, recording: Recording) -> str:
    """The steps that were asked for, in words."""
    first, last = options.first or 1, min(options.last or inf, _last(recording))
    steps = f"step {first}" if first == last else f"steps {first} to {last}"
    return steps if options.name is None else f"{steps} about {options.name!r}"


# --- what is played ------------------------------------------------------------------------------------------------


def _read(path: str) -> Recording:
    if path == "-":
        return read(_lines(sys.stdin))
    try:
        # What is no text becomes an error of the reader, which names the line.
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            return read(_lines(file))
    except (OSError, ValueError) as error:
        raise _Unusable(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def _lines(file: TextIO) -> Iterator[str]:
    # One that never ends is refused before it fills the memory.
    return iter(lambda: file.readline(MAX_DOCUMENT_LINE + 1), "")


def _opening(recording: Recording) -> UserAgent:
    """The agent that the run begins with: renderers learn its flows from it."""
    return recording.segments[0].restore(random=Random(0))


def _secrets(options: argparse.Namespace, recording: Recording) -> dict[str, str | Secret]:
    found: dict[str, str | Secret] = {}
    if options.config is not None:
        configuration, _ = load_file(options.config, ASTERISK, strict_permissions=False)
        found.update(_of_accounts(configuration.accounts))
    known = recording.secrets if options.secret else ()
    for item in options.secret:
        name, equals, path = item.partition("=")
        if not (name and equals and path):
            raise _Unusable("--secret: NAME=FILE, the first line of the file being the password")
        if name not in known and not any(label.startswith(f"{name}/") for label in known):
            some = ", ".join(known[:SHOWN_LABELS])
            raise _Unusable(f"--secret: the recording has no secret of {name!r}; it has {some or 'none at all'}")
        try:
            password = read_password(path)
        except ConfigError as error:
            raise _Unusable(f"--secret: {path!r}: {error.expected}") from None
        if password is not None:
            found[name] = password
    return found


def _of_accounts(accounts: Iterable[Account]) -> Iterator[tuple[str, Secret]]:
    # Two accounts with one password share the label of the first; which that is depends on what was recorded.
    shared = Labels()
    for account in accounts:
        own = Labels()
        for labels in (own, shared):
            labels.account(account)
        for secret in _held(account):
            yield own.label(secret), secret
            yield shared.label(secret), secret


def _held(account: Account) -> Iterator[Secret]:
    if isinstance(account.password, Secret):
        yield account.password
    for credential in account.credentials:
        if credential.password is not None:
            yield credential.password
        yield from (ha1 for _, ha1 in credential.ha1)


def _check_name(name: str, recording: Recording) -> None:
    names = dict.fromkeys(_opening(recording).names())
    for step in recording.steps:
        if step.name == "add" and isinstance(step.arguments[0], Account):
            names[step.arguments[0].name] = None
        elif step.name == "reload" and isinstance(step.arguments[0], tuple | list):
            names.update({account.name: None for account in step.arguments[0] if isinstance(account, Account)})
    if name not in names:
        close = get_close_matches(name, names, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise _Unusable(f"there is no registration {name!r} in this recording{hint}")


# --- what is told --------------------------------------------------------------------------------------------------


def _compare(recording: Recording, secrets: dict[str, str | Secret]) -> tuple[str, Difference | None]:
    outcome = compare(recording, secrets)
    return _identical(outcome.inputs, outcome.outputs, outcome.segments), outcome.difference


def _identical(inputs: int, outputs: int, segments: int) -> str:
    return f"identical: {counted(inputs, 'input')}, {counted(outputs, 'output')} in {counted(segments, 'segment')}"


def _tell(recording: Recording, identical: str, difference: Difference | None) -> int:
    if difference is None:
        print(identical)
        if recording.ending is None:
            print("the recording was cut off: its end is missing")
        return codes.OK
    for line in _difference(recording, difference):
        print(visible(line, MAX_LINE))
    return codes.FAILED


def _difference(recording: Recording, difference: Difference) -> Iterator[str]:
    step = difference.step
    where = "behind the last step"
    if step is not None:
        where = f"step {step.number}, {step.name}, {step.now - _start(recording):.3f} s"
    note = f"; {difference.note}" if difference.note else ""
    yield f"different: {where}: {difference.kind}{note}"
    yield "- recorded, + replayed"
    # What is equal is shown as well: of a message it says which one it is.
    recorded, replayed = list(difference.recorded), list(difference.replayed)
    for line, sign in _merged(recorded, replayed):
        yield f"{sign} {line}"


def _merged(recorded: list[str], replayed: list[str]) -> Iterator[tuple[str, str]]:
    for number in range(max(len(recorded), len(replayed))):
        one = recorded[number] if number < len(recorded) else None
        other = replayed[number] if number < len(replayed) else None
        if one == other and one is not None:
            yield one, " "
            continue
        if one is not None:
            yield one, "-"
        if other is not None:
            yield other, "+"


def _steps(options: argparse.Namespace, recording: Recording, secrets: dict[str, str | Secret]) -> int:
    """Each step with what came of it, up to the first difference."""
    waits = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty() and options.file != "-"
    about = _numbers(options, recording)
    inputs = outputs = segments = 0
    listed = listing.lines(recording.steps, agent=_opening(recording))
    shown = 0
    empty = True
    for played in play(recording, secrets):
        segments = played.segment
        if played.step.number != shown:
            shown, line = next(((step.number, text) for step, text in listed if step is played.step), (shown, ""))
            if _wanted(options, shown, about) or played.difference is not None:
                print(line)
                empty = False
                if waits and played.difference is None and not _go_on():
                    return codes.OK
        if played.difference is not None:
            return _tell(recording, "", played.difference)
        if played.step.is_input:
            inputs += 1
        else:
            outputs += 1
    if empty and _last(recording):
        print(f"nothing to show: {_chosen(options, recording)}")
    return _tell(recording, _identical(inputs, outputs, segments or len(recording.segments)), None)


def _wanted(options: argparse.Namespace, number: int, about: frozenset[int] | None) -> bool:
    if (options.first is not None and number < options.first) or (options.last is not None and number > options.last):
        return False
    return about is None or number in about


def _numbers(options: argparse.Namespace, recording: Recording) -> frozenset[int] | None:
    """The steps that are about the registration that was asked for; None when none was."""
    if options.name is None:
        return None
    scenes = Story(_opening(recording)).tell(recording.steps)
    return frozenset(scene.number for scene in selected(scenes, name=options.name))


def _go_on() -> bool:
    try:
        return input().strip().lower() not in ("q", "quit")
    except EOFError:
        return False


# --- what is drawn -------------------------------------------------------------------------------------------------


def _draw(options: argparse.Namespace, recording: Recording) -> int:
    steps = recording.steps
    told = Story(_opening(recording)).tell(steps)
    scenes = list(selected(told, first=options.first, last=options.last, name=options.name))
    if not scenes:
        raise _Unusable(f"nothing to draw: nothing happened in {_chosen(options, recording)}" if steps else NOTHING)
    start = _start(recording)
    if options.ladder:
        lines = ladder.draw(scenes, start=start, wall=_wall(recording))
    else:
        lines = mermaid.draw(scenes, start=start)
    for line in lines:
        print(line)
    return codes.OK


def _capture(options: argparse.Namespace, recording: Recording) -> int:
    steps = recording.steps
    chunks = pcap.write(
        steps, agent=_opening(recording), wall=_wall(recording), first=options.first, last=options.last
    )
    # Nothing is created for a capture without packets: its header, then one piece for each.
    begin = tuple(islice(chunks, 2))
    if len(begin) < 2:
        raise _Unusable(f"nothing to capture: no packets in {_chosen(options, recording)}" if steps else NOTHING)
    chunks = chain(begin, chunks)
    if options.pcap == "-":
        sys.stdout.flush()
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return codes.OK
    with open(create(options.pcap, "capture"), "wb") as file:
        for chunk in chunks:
            file.write(chunk)
    return codes.OK


def _start(recording: Recording) -> float:
    steps = recording.steps
    return steps[0].now if steps else 0.0


def _wall(recording: Recording) -> float | None:
    """The Unix time at which the agent's clock was 0."""
    return None if recording.wall is None else recording.wall[1] - recording.wall[0]
