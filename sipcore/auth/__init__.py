"""Digest authentication, client and server (RFC 7616, RFC 8760, RFC 3261 section 22, RFC 2069).

Theory of operation
===================

A *challenge* is what a server asks, a *credential* what we know about a user, a *session* what joins the two: H(A1),
the nonce and how often it was used. Challenges and credentials are values; a session is the one thing that changes,
because nc must rise with each request for one nonce.

    header values --parse_challenges--> Challenge...  \\
                                                        choose(policy) --> DigestSession --> Authorization
    configuration --------------------> Credential... /

`ClientAuth` keeps a registration's sessions, one for each realm, for the registrar (401) and for proxies (407) side by
side, since one attempt may meet both. The exchange tells it what came back; it tells the exchange what that means:

    first request of an attempt  --preemptive-->  headers, if that has worked before
    401, 407                     --answer------>  NEW: send again with credentials(); EXHAUSTED, UNUSABLE, NONE: give up
    2xx                          --succeeded--->  nextnonce adopted, rspauth checked
    403 and the like             --refused----->  nothing unasked until it has worked again

Conflicts, and how they are settled:

- A refusal can mean a wrong password or an old nonce, and few servers say which. The nonce decides: the same nonce
  again, without `stale`, refuses the password; another nonce is new information. `AuthVerdict.doubted` marks the case
  in between (a fresh nonce refused at once), and the caller bounds how many are answered in one attempt.
- Several challenges of one realm: exactly one is answered, the strongest or the server's first, as the policy says.
- Credentials that name a realm come before those for any realm; a digest comes before a password.
- Unasked use of a nonce saves a round trip with servers that allow it and looks like a failed login to those that do
  not. It is learned for each registration: `REUSE_FAILURES` refusals without `stale` end it.

`DigestVerifier` is the other side, for a registrar. It stores nothing for a challenge; see `nonces`.

Secrets (passwords, H(A1), session keys) are `Secret` everywhere and revealed only inside expressions whose callees are
written in C, so that no frame of a traceback has one in a local variable.
"""

from __future__ import annotations

from sipcore.auth.challenge import Challenge, parse_challenges
from sipcore.auth.client import AuthVerdict, ClientAuth, Verdict
from sipcore.auth.credentials import Credential
from sipcore.auth.digest import DigestSession, InfoResult, Selection, is_new_information, select
from sipcore.auth.hashing import Algorithm
from sipcore.auth.policy import ASTERISK_POLICY, JSSIP_POLICY, SIPCORE_POLICY, AuthPolicy, Order
from sipcore.auth.verify import DigestVerifier, Verification, VerifyOutcome, userhash_index

__all__ = [
    "ASTERISK_POLICY",
    "Algorithm",
    "AuthPolicy",
    "AuthVerdict",
    "Challenge",
    "ClientAuth",
    "Credential",
    "DigestSession",
    "DigestVerifier",
    "InfoResult",
    "JSSIP_POLICY",
    "Order",
    "SIPCORE_POLICY",
    "Selection",
    "Verdict",
    "Verification",
    "VerifyOutcome",
    "is_new_information",
    "parse_challenges",
    "select",
    "userhash_index",
]
