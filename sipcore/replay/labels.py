"""Secrets by reference: what stands in a recording in the place of a password, and what is made of it again.

Each secret has a label, such as `alice/password`. Equal secrets have equal labels, because the core compares them (a
reload with the same password changes nothing), and different ones different labels (`alice/password#2`). Whoever plays
a recording and has the secrets gives them by label or by registration name; where one is missing a placeholder takes
its place, one for each label, so that all comparisons come out as they did.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b

from sipcore.auth.credentials import Credential
from sipcore.auth.hashing import Algorithm
from sipcore.config import Account
from sipcore.errors import ReplayError
from sipcore.values import Secret

__all__ = ["Labels", "Secrets", "Vault", "ha1_label"]

Secrets = Mapping[str, str | Secret]
"""Secrets by label (`alice/password`), or passwords by registration name (`alice`)."""

PASSWORD = "password"
HA1 = "ha1"

_KIND = re.compile(r"/(?:password|ha1:([A-Za-z0-9-]++))(?:[:#]|$)")


class Labels:
    """Gives labels while a recording is written."""

    def __init__(self) -> None:
        self._by_digest: dict[bytes, str] = {}
        self._taken: set[str] = set()

    def account(self, account: Account) -> None:
        """Name the secrets of an account."""
        name = account.name
        if isinstance(account.password, Secret):
            self._name(account.password, f"{name}/{PASSWORD}")
        for credential in account.credentials:
            self.credential(credential, name)

    def credential(self, credential: Credential, name: str) -> None:
        """Name the secrets of a credential."""
        realm = f":{credential.realm}" if credential.realm is not None else ""
        if credential.password is not None:
            self._name(credential.password, f"{name}/{PASSWORD}{realm}")
        for algorithm, ha1 in credential.ha1:
            self._name(ha1, f"{name}/{ha1_label(algorithm)}{realm}")

    def label(self, secret: Secret) -> str:
        """The label of a secret, also of one that belongs to no account known."""
        return self._name(secret, "secret")

    def learn(self, secret: Secret, label: str) -> None:
        """That secret has that label already."""
        self._by_digest[_digest(secret)] = label
        self._taken.add(label)

    def _name(self, secret: Secret, label: str) -> str:
        digest = _digest(secret)
        known = self._by_digest.get(digest)
        if known is None:
            known, number = label, 1
            while known in self._taken:
                number += 1
                known = f"{label}#{number}"
            self._by_digest[digest] = known
            self._taken.add(known)
        return known


class Vault:
    """Gives secrets for labels while a recording is read."""

    def __init__(self, secrets: Secrets | None = None) -> None:
        self._given = secrets or {}
        self._made: dict[str, Secret] = {}

    def secret(self, label: str) -> Secret:
        """The reader's secret, or a placeholder that is the same each time."""
        known = self._made.get(label)
        if known is None:
            known = self._made[label] = self._find(label)
        return known

    @property
    def made(self) -> Mapping[str, Secret]:
        """All secrets given so far, by label."""
        return self._made

    def _find(self, label: str) -> Secret:
        given = self._given.get(label)
        kind = _KIND.search(label)
        algorithm = None if kind is None else kind[1]
        if given is None and kind is not None and algorithm is None and "#" not in label[kind.end() - 1 :]:
            # By the registration's name it is the first one; those that came later are numbered.
            given = self._given.get(label[: kind.start()])
        if given is None:
            return Secret(_placeholder(label, algorithm))
        return given if isinstance(given, Secret) else Secret(given)


def ha1_label(algorithm: Algorithm) -> str:
    """How an H(A1) is called behind the registration's name."""
    return f"{HA1}:{algorithm.value}"


def _digest(secret: Secret) -> bytes:
    # One expression, so that no frame has the text in a local variable.
    return blake2b(secret.reveal().encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _placeholder(label: str, token: str | None) -> str:
    if token is None:
        return f"placeholder {blake2b(label.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"
    algorithm = Algorithm.parse(token)
    if algorithm is None:
        raise ReplayError(f"the secret {label!r} names no algorithm; known are {', '.join(Algorithm)}")
    return algorithm.hash(label)
