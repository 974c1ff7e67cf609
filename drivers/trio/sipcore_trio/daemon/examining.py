"""`sipcore check`, `sipcore convert` and `sipcore schema`: configurations as files, without a daemon."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from dataclasses import asdict
from typing import Literal

from sipcore import asterisk, native
from sipcore.errors import ConfigError
from sipcore.native import Converted
from sipcore.profiles import PROFILES
from sipcore.settings import OptionNote, Verdict
from sipcore.syntax.grammar import visible
from sipcore_trio.daemon import codes
from sipcore_trio.daemon.checks import StartError, SystemFiles, load_file
from sipcore_trio.daemon.client import be_lenient
from sipcore_trio.daemon.recording import create
from sipcore_trio.daemon.secrets import Secrets

__all__ = ["check", "convert", "schema"]

MAX_SHOWN = 200
"""Characters of a value that are shown."""


def check(options: argparse.Namespace) -> int:
    """Say of each option what becomes of it: 0 when `sipcore run` would start with it, else 2.

    With `--strict`, an option that is read and not used is an error, too.
    """
    be_lenient()
    path = options.config
    if path.endswith(native.ENDING):
        notes = native.examine(path, SystemFiles().read, secrets=Secrets.beside(path))
    else:
        notes = asterisk.examine(path, SystemFiles(), profile=PROFILES[options.profile])
    counts = Counter(note.verdict for note in notes)
    if options.json:
        print(json.dumps([asdict(note) for note in notes], indent=2, ensure_ascii=True))
    else:
        for note in notes:
            if not options.quiet or note.verdict is not Verdict.USED or _is_trap(note, path):
                print(_text(note))
        print("; ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict))
    if counts[Verdict.REFUSED] or (options.strict and counts[Verdict.UNUSED]):
        return codes.USAGE
    # What is right option by option can still be wrong as a whole.
    try:
        load_file(path, PROFILES[options.profile], strict_permissions=False)
    except (ConfigError, StartError) as error:
        print(f"sipcore: {visible(str(error), 1000)}", file=sys.stderr)
        return codes.USAGE
    return codes.OK


def convert(options: argparse.Namespace) -> int:
    """Write a configuration in the other form: 0, also when some of it could not be said, which is told on stderr."""
    be_lenient()
    path = options.config
    to: Literal["toml", "pjsip"] = "pjsip" if path.endswith(native.ENDING) else "toml"
    try:
        found = native.convert(
            path,
            SystemFiles() if to == "toml" else SystemFiles().read,
            to=to,
            secrets=options.secrets,
            source=Secrets.beside(path),
            profile=PROFILES[options.profile],
        )
        for note in found.notes:
            print(f"sipcore: {visible(note, 1000)}", file=sys.stderr)
        if options.output is None:
            sys.stdout.write(found.text)
        else:
            _write(options.output, found)
    except (ConfigError, StartError) as error:
        print(f"sipcore: {visible(str(error), 1000)}", file=sys.stderr)
        return codes.USAGE
    return codes.OK


def schema(options: argparse.Namespace) -> int:
    """Print the JSON Schema of the TOML form."""
    print(json.dumps(native.schema(), indent=2, ensure_ascii=True))
    return codes.OK


def _is_trap(note: OptionNote, path: str) -> bool:
    # What TOML says of an option that is used is its meaning; what a pjsip.conf says of it is a warning.
    return bool(note.text) and not path.endswith(native.ENDING)


def _text(note: OptionNote) -> str:
    value = "" if note.value is None else f" = {visible(note.value, MAX_SHOWN)}"
    place = f"[{visible(note.section, MAX_SHOWN)}]" if note.section else ""
    option = f"{visible(note.option, MAX_SHOWN)}{value}"
    more = f": {visible(note.text, 1000)}" if note.text else ""
    return f"{note.where}: {' '.join(filter(None, (place, option)))}: {note.verdict}{more}"


def _write(path: str, found: Converted) -> None:
    """The text, and beside it the files that it looks for. Raises `StartError`; nothing that exists is touched."""
    texts = [(path, found.text)]
    for name, secret in found.secrets:
        folder = os.path.dirname(os.path.abspath(path))
        texts.append((os.path.join(folder, name), secret.reveal() + "\n"))
    for name, text in texts:
        try:
            os.makedirs(os.path.dirname(os.path.abspath(name)), mode=0o700, exist_ok=True)
        except OSError as error:
            raise StartError(f"{name}: file: {error.strerror or error}") from None
        with open(create(name, "file"), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        print(name)
