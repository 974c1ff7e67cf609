"""From a REGISTER to its response: RFC 3261 section 10.3, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from sipcore.auth.credentials import Credential
from sipcore.auth.verify import DigestVerifier, Verification, VerifyOutcome
from sipcore.errors import ConfigError, RemoteProtocolError
from sipcore.inbound.screening import Answer, unsupported, uri_fault
from sipcore.registrar.location import Change, Location, Update, canonical_aor
from sipcore.registrar.policy import RegistrarPolicy
from sipcore.syntax.addresses import STAR, NameAddr
from sipcore.syntax.headers import parse_expires
from sipcore.syntax.message import Request
from sipcore.values import Secret

__all__ = ["EXTENSIONS", "Rules", "Users"]

Users = Mapping[str, "Secret | str | Credential"] | Callable[[str], "Secret | str | Credential | None"]
"""From a user name to the password or the credential: a mapping, or a function that returns None for strangers."""

EXTENSIONS: Final = ("path",)
"""The option tags that the registrar understands (RFC 3327)."""

MALFORMED_EXPIRES: Final = 3600
"""What a malformed expiry counts as, in seconds (RFC 3261 section 10.2)."""

MAY_BE_TOO_BRIEF: Final = 3600
"""A 423 is only for less than this, whatever the minimum (RFC 3261 section 10.3 step 7)."""

MAX_STORED: Final = 4096
"""Bytes of Contact and Path in one request, since they are kept and given back: ten such bindings fill no
datagram. With all feature tags of RFC 3840 a contact has about 600."""

MAX_CALL_ID: Final = 1024
"""Characters of a Call-ID, which is kept with each binding. Real ones stay below 130."""

MAX_REMEMBERED: Final = 65536
"""Addresses and credentials that are remembered to save computing them again; then all are forgotten."""

MAX_REMEMBERED_TEXT: Final = 128
"""Characters of an address that is remembered. What is longer is computed each time: no real one is, and strangers
could fill 2 GiB with addresses of 16 KiB."""

_TOO_LOW: Final = Answer(500, "CSeq Not Higher Than Before")
_UPDATES: Final = {
    Update.OUT_OF_ORDER: _TOO_LOW,
    Update.TOO_MANY_CONTACTS: Answer(403, "Too Many Contacts"),
    Update.FULL: Answer(503),
}


class Rules:
    """Decides about REGISTER requests and keeps the bindings: the same requests at the same times, the same answers.

    What the standard leaves to us: a user may register the address of record whose user part is the user name, or that
    is the user name as `user@host`, and no other.
    """

    def __init__(self, policy: RegistrarPolicy, users: Users, location: Location, *, random: Random) -> None:
        assert policy.realm is not None
        self._policy = policy
        self._location = location
        self._find_user: Callable[[str], Secret | str | Credential | None] = (
            users.get if isinstance(users, Mapping) else users
        )
        self._verifier = DigestVerifier(
            policy.realm, random=random, algorithms=policy.algorithms, nonce_lifetime=policy.nonce_lifetime
        )
        self._aors: dict[str, str | None] = {}
        self._uris: dict[str, Answer | None] = {}
        self._credentials: dict[str, Credential] = {}

    def process(self, request: Request, now: float) -> Answer:
        """The answer to a REGISTER whose identities have been checked. Raises nothing that a peer can cause."""
        try:
            return self._process(request, now)
        except RemoteProtocolError as error:
            return Answer(error.status_hint)

    def aor(self, text: str) -> str | None:
        """The canonical form of an address of record, None when it has no user. Raises `RemoteProtocolError`."""
        aors = self._aors
        if text not in aors:
            if len(text) > MAX_REMEMBERED_TEXT:
                return canonical_aor(NameAddr(None, text).uri)
            if len(aors) >= MAX_REMEMBERED:
                aors.clear()
            aors[text] = canonical_aor(NameAddr(None, text).uri)
        return aors[text]

    def _process(self, request: Request, now: float) -> Answer:
        policy = self._policy
        # Step 1.
        misplaced = self._misplaced(request)
        if misplaced is not None:
            return misplaced
        # Step 2.
        refused = unsupported(request, EXTENSIONS)
        if refused is not None:
            return refused
        # Steps 3 to 5.
        aor = self.aor(request.to.uri_text)
        verification = None
        if policy.require_authentication:
            verification = self._authenticate(request, now)
            if not verification.ok:
                return self._challenge(verification, now)
        if aor is None or not self._valid(aor):
            return Answer(404)
        if verification is not None and verification.username not in (aor, aor.rpartition("@")[0]):
            return Answer(403)
        # Steps 6 and 7.
        answer = self._change(request, aor, now)
        return self._list(request, aor, verification, now) if answer is None else answer

    def _misplaced(self, request: Request) -> Answer | None:
        """The refusal of a Request-URI that does not name a domain of ours."""
        uris = self._uris
        text = request.uri
        if text not in uris:
            if len(text) > MAX_REMEMBERED_TEXT:
                return self._judge(request)
            if len(uris) >= MAX_REMEMBERED:
                uris.clear()
            uris[text] = self._judge(request)
        return uris[text]

    def _judge(self, request: Request) -> Answer | None:
        if request.uri.partition(":")[0].lower() not in ("sip", "sips"):
            # RFC 3261 section 8.2.2.1
            return Answer(416)
        if uri_fault(request) is not None:
            return Answer(400, "Malformed Request-URI")
        # We are no proxy, so a domain that is not ours is simply not found here.
        domains = self._policy.domains
        return None if domains is None or request.request_uri.host.lower() in domains else Answer(404)

    def _authenticate(self, request: Request, now: float) -> Verification:
        verification = self._verifier.verify(
            request.get_all("authorization"), "REGISTER", request.uri, request.body, self._credential, now
        )
        proof = verification.proof
        if self._policy.one_time_nonces and proof is not None and proof.nc != "00000001" and proof.qop is not None:
            return _USED
        return verification

    def _challenge(self, verification: Verification, now: float) -> Answer:
        if verification.outcome is VerifyOutcome.MALFORMED:
            return Answer(400, "Malformed Credentials")
        stale = verification.outcome is VerifyOutcome.STALE
        values = self._verifier.challenges(now=now, stale=stale)
        return Answer(401, None, tuple([("WWW-Authenticate", value) for value in values]))

    def _valid(self, aor: str) -> bool:
        """Whether there is such an address of record."""
        user, _, host = aor.rpartition("@")
        policy = self._policy
        if policy.domains is not None and host not in policy.domains:
            return False
        if not policy.require_authentication:
            return True
        return self._find_user(user) is not None or self._find_user(aor) is not None

    def _credential(self, username: str, realm: str) -> Credential | None:
        found = self._find_user(username)
        if found is None or isinstance(found, Credential):
            return found
        password = found if isinstance(found, Secret) else Secret(found)
        known = self._credentials.get(username)
        if known is None or known.password != password:
            if len(self._credentials) >= MAX_REMEMBERED:
                self._credentials.clear()
            try:
                known = self._credentials[username] = Credential(username=username, password=password)
            except ConfigError:
                # A name or password that could never be used is that of nobody.
                return None
        return known

    def _change(self, request: Request, aor: str, now: float) -> Answer | None:
        """Steps 6 and 7; None when all is well."""
        contacts = request.contacts
        location = self._location
        if contacts is STAR:
            # Absent, malformed and anything else are all not zero.
            if parse_expires(request.once("expires") or "") != 0:
                return Answer(400, "Contact * Needs Expires 0")
            return _UPDATES.get(location.clear(aor, request.call_id, request.cseq.number, now))
        if not contacts:
            return None
        path = () if request.get("path") is None else tuple(request.values("path"))
        if sum(map(_size, request.get_all("contact"))) + sum(map(_size, path)) > MAX_STORED:
            return Answer(400, "Contact Too Long")
        if _size(request.call_id) > MAX_CALL_ID:
            return Answer(400, "Call-ID Too Long")
        policy = self._policy
        changes: list[Change] = []
        for contact in contacts:
            if contact.uri_text[:5].lower() == "sips:" and request.uri[:5].lower() != "sips:":
                # RFC 5630 section 5.2
                return Answer(400, "A sips Contact Needs a sips Request-URI")
            asked = self._asked(request, contact)
            if 0 < asked < policy.min_expires and asked < MAY_BE_TOO_BRIEF:
                return Answer(423, None, (("Min-Expires", str(policy.min_expires)),))
            changes.append(Change(contact, min(asked, policy.max_expires)))
        update = location.update(
            aor,
            changes,
            request.call_id,
            request.cseq.number,
            now,
            path=path,
            max_contacts=policy.max_contacts,
        )
        return _UPDATES.get(update)

    def _asked(self, request: Request, contact: NameAddr) -> int:
        """The expiry that a contact asks for: its parameter, the header, our default, in this order."""
        text = contact.get("expires")
        if text is None:
            text = request.once("expires")
            if text is None:
                return self._policy.default_expires
        asked = parse_expires(text)
        return MALFORMED_EXPIRES if asked is None else asked

    def _list(self, request: Request, aor: str, verification: Verification | None, now: float) -> Answer:
        """Step 8. Date is left out: the core knows no wall clock."""
        headers = [("Contact", binding.row(now)) for binding in self._location.bindings(aor, now)]
        if request.get("path") is not None:
            headers += [("Path", value) for value in request.values("path")]
        if self._policy.authentication_info and verification is not None:
            value = self._verifier.authentication_info(verification)
            if value is not None:
                headers.append(("Authentication-Info", value))
        return Answer(200, None, tuple(headers))


def _size(text: str) -> int:
    """Bytes that a text takes at most, in memory and on the wire: one character beyond ASCII makes all of them wide."""
    return len(text) if text.isascii() else 4 * len(text)


_USED: Final = Verification(outcome=VerifyOutcome.STALE, reason="the nonce was used")
