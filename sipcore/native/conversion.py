"""One form of a configuration from the other, and what the other cannot say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from sipcore import asterisk
from sipcore.asterisk.faults import FileFault
from sipcore.auth.hashing import Algorithm
from sipcore.config import Account, Credential, Transport
from sipcore.errors import ConfigError
from sipcore.native.pjsip_text import LEFT_OUT, write_pjsip
from sipcore.native.reader import Reader
from sipcore.native.secrets import SecretSource
from sipcore.native.source import Place, Source, dotted, quoted
from sipcore.native.toml_text import SECRETS, effective, write_toml
from sipcore.profiles import ASTERISK, Profile
from sipcore.settings import Configuration, OptionNote, Verdict
from sipcore.values import Secret, SocketOptions

__all__ = ["ENDING", "Converted", "convert", "differences", "to_pjsip", "to_toml"]

ENDING = ".toml"
"""What the name of such a file ends with; all others are Asterisk's."""

MAX_NOTES = 50
"""At the head of a text; `Converted.notes` has them all."""

MAX_NAMES = 5
"""Registrations that one note names."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A configuration in the other form."""

    text: str = field(repr=False)
    """It holds passwords when that was asked for."""
    notes: tuple[str, ...] = ()
    """What the other form cannot say or says otherwise, a line each."""
    secrets: tuple[tuple[str, Secret], ...] = ()
    """What the text looks for in files of their own: the name of each file, as the text has it, and what belongs in."""


def convert(
    file: str,
    files: asterisk.Files | Callable[[str], bytes],
    *,
    to: Literal["toml", "pjsip"],
    secrets: bool = False,
    source: SecretSource | None = None,
    profile: Profile = ASTERISK,
) -> Converted:
    """Read a configuration of the other form, and write it. Raises `ConfigError`.

    `files` is what `sipcore.asterisk.load` takes: with a plain function that reads, a pjsip.conf has no wizards.

    With `secrets` passwords and digests are written as they are; where TOML has them elsewhere, `source` reads them.
    Otherwise TOML names a file for each, and a pjsip.conf has a comment in their place. `profile` is what a pjsip.conf
    is read under.
    """
    is_toml = file.endswith(ENDING)
    if is_toml is (to == "toml"):
        raise FileFault("file", f"is {'TOML' if is_toml else 'a pjsip.conf'} already", where=file)
    if not is_toml:
        configuration = asterisk.load(file, files, profile=profile)
        return _to_toml(configuration, secrets, _unused(asterisk.examine(file, files, profile=profile)))
    try:
        data = files(file) if callable(files) else files.read(file)
    except OSError as error:
        raise FileFault("file", f"cannot be read: {error.strerror or type(error).__name__}", where=file) from None
    return to_pjsip(Reader(Source(data, file=file), source if secrets else None, _stop).read(), secrets=secrets)


def to_toml(configuration: Configuration, *, secrets: bool = False) -> Converted:
    """The accounts as TOML. Without `secrets` the text names a file for each of them."""
    return _to_toml(configuration, secrets, ())


def _to_toml(configuration: Configuration, secrets: bool, unused: Iterable[str]) -> Converted:
    accounts = configuration.accounts
    plain = "\n".join(write_toml(configuration, secrets=True).lines)
    notes = [*_unsaid(configuration), *unused]
    try:
        again = Reader(Source(plain.encode("utf-8", "surrogatepass"), file="toml"), None, _stop).read().accounts
    except ConfigError as error:
        notes.append(f"this text is refused as it stands: {_without_file(error)}")
    else:
        notes += differences(accounts, again)
    head = [f"From {configuration.file}."]
    if not secrets and any(account.credentials for account in accounts):
        head += [f"Passwords are looked for in {SECRETS}/ beside this file, in files that only their owner can read."]
    written = write_toml(configuration, secrets=secrets, head=[*head, *_head(notes)])
    return Converted("\n".join(written.lines) + "\n", tuple(notes), tuple(written.secrets.items()))


def to_pjsip(configuration: Configuration, *, secrets: bool = False) -> Converted:
    """The accounts as a pjsip.conf. Without `secrets` a comment stands in the place of each; the file is refused until
    they are filled in."""
    accounts = configuration.accounts
    plain = write_pjsip(configuration, secrets=True)
    notes = list(_unsaid(configuration))
    profiles = {account.profile.name: account.profile for account in accounts} or {ASTERISK.name: ASTERISK}
    notes += [
        f"profile: a pjsip.conf has none; run it with --profile {name}" for name in profiles if name != ASTERISK.name
    ]
    try:
        again = [asterisk.parse(plain, file="pjsip.conf", profile=profile).accounts for profile in profiles.values()]
    except ConfigError as error:
        notes.append(f"this text is refused as it stands: {_without_file(error)}")
    else:
        by_profile = {found[0].profile.name: found for found in again if found}
        notes += differences(accounts, [by_profile[a.profile.name][n] for n, a in enumerate(accounts)])
    head = [f"From {configuration.file}."]
    if not secrets and any(account.credentials for account in accounts):
        head += [f"Where a password or digest was {LEFT_OUT} it has to be filled in."]
    text = write_pjsip(configuration, secrets=secrets, head=[*head, *_head(notes)])
    return Converted(text, tuple(notes))


def differences(accounts: Sequence[Account], again: Sequence[Account]) -> list[str]:
    """What got lost or changed, a line for each change with the registrations it befell; nothing when all are equal in
    effect."""
    found: dict[str, list[str]] = {}
    if len(accounts) != len(again):
        found[f"{len(accounts)} registrations became {len(again)}"] = []
    for account, other in zip(accounts, again, strict=False):
        if account == other:
            continue
        mine, theirs = normal(account), normal(other)
        for name, value in mine.items():
            if value != theirs[name]:
                # Not what differs in a credential: it may be the password.
                change = "differ" if name == "credentials" else f"{_shown(value)} became {_shown(theirs[name])}"
                found.setdefault(f"{name}: {change}", []).append(account.name)
    return [f"{change}{_of(names)}" for change, names in found.items()]


def _shown(value: Any) -> str:
    """A value as a user would write it; of an object what differs from the default."""
    if isinstance(value, str):
        return quoted(str(value))
    if isinstance(value, tuple | list | frozenset):
        return f"[{', '.join(map(_shown, sorted(value) if isinstance(value, frozenset) else value))}]"
    if isinstance(value, Transport | SocketOptions):
        said = ((item.name, getattr(value, item.name), item.default) for item in fields(value))
        inside = ", ".join(f"{name} = {_shown(given)}" for name, given, default in said if given != default)
        return f"{{ {inside} }}" if inside else "{}"
    return "none" if value is None else str(value)


def _of(names: Sequence[str]) -> str:
    if not names:
        return ""
    shown = ", ".join(dotted((name,)) for name in names[:MAX_NAMES])
    return f" ({shown}{f' and {len(names) - MAX_NAMES} more' if len(names) > MAX_NAMES else ''})"


def normal(account: Account) -> dict[str, Any]:
    """The account's fields in one of the ways that mean the same: all credentials in `credentials`, all algorithms
    named, all timers worked out, and nothing said of probes that are not asked for."""
    found = {item.name: getattr(account, item.name) for item in fields(account)}
    found["username"] = found["password"] = None
    found["credentials"] = tuple(map(_normal, account.credentials))
    timing = account.timing
    found["timing"] = (timing.t1, timing.t2, timing.t4, timing.f)
    if account.transport is not None:
        found["transport"] = replace(account.transport, options=effective(account.transport.options))
    found["keep_alive_interval"] = account.keep_alive_interval or None
    return found


def _normal(credential: Credential) -> tuple[object, ...]:
    usable = frozenset(item for item in Algorithm if credential.supports(item))
    realm = None if credential.realm == "*" else credential.realm
    return credential.username, credential.password, frozenset(credential.ha1), realm, usable


def _unsaid(configuration: Configuration) -> Iterator[str]:
    if configuration.identify is not None:
        yield "endpoint, identify: what names the endpoint of an inbound request has no place here"
    named: dict[str, list[str]] = {}
    for name, written in configuration.written.items():
        for option, standard in _UNSAID.items():
            value = getattr(written, option)
            if value != standard:
                text = value if isinstance(value, str) else ", ".join(value)
                named.setdefault(f"{option}: {text!r} has no place here", []).append(name)
    yield from (f"{text}{_of(names)}" for text, names in named.items())


def _unused(notes: Iterable[OptionNote]) -> Iterator[str]:
    """What a pjsip.conf says to others than us, a line for each type of object; and remarks about no object."""
    found: dict[str, dict[str, None]] = {}
    objects: dict[str, list[str]] = {}
    idle: set[tuple[str, str]] = set()
    remarks: dict[str, None] = {}
    for note in notes:
        if note.verdict is not Verdict.UNUSED:
            continue
        if not note.type:
            remarks[f"{note.option}: {note.text}"] = None
        elif note.option == "type" and note.text:
            # All of the object is idle for one reason.
            objects.setdefault(f"{note.type}: {note.text}", []).append(note.section)
            idle.add((note.type, note.section))
        elif note.option != "type" and (note.type, note.section) not in idle:
            found.setdefault(note.type, {})[note.option] = None
    yield from (f"{text}{_of(names)}" for text, names in objects.items())
    yield from (f"{kind}: {', '.join(options)}: not used by sipcore" for kind, options in found.items())
    yield from remarks


_UNSAID = {"endpoint": "", "security_negotiation": "no", "security_mechanisms": (), "wizard": ""}
"""What a pjsip.conf says beyond accounts, and what it says by default."""


def _head(notes: Sequence[str]) -> list[str]:
    if not notes:
        return []
    more = [f"... and {len(notes) - MAX_NOTES} more"] if len(notes) > MAX_NOTES else []
    return ["", "Said otherwise here, or not at all:", *(f"  {note}" for note in notes[:MAX_NOTES]), *more]


def _without_file(error: ConfigError) -> str:
    return str(error).removeprefix(f"{error.where}: ")


def _stop(place: Place, error: ConfigError) -> None:
    raise error
