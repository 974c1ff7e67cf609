"""Header names: compact forms, and the usual spellings (RFC 3261 section 7.3.3)."""

from __future__ import annotations

from typing import Final

__all__ = ["COMPACT_FORMS", "LONG_NAMES", "USUAL_NAMES", "header_key", "usual_name"]

COMPACT_FORMS: Final = {
    "a": "accept-contact",  # RFC 3841
    "b": "referred-by",  # RFC 3892
    "c": "content-type",
    "d": "request-disposition",  # RFC 3841
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",  # RFC 3841
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",  # RFC 4474
    "o": "event",  # RFC 6665
    "r": "refer-to",  # RFC 3515
    "s": "subject",
    "t": "to",
    "u": "allow-events",  # RFC 6665
    "v": "via",
    "x": "session-expires",  # RFC 4028
    "y": "identity",  # RFC 8224
}
"""The long name, in lower case, of each compact form."""

# fmt: off
_USUAL: Final = (
    "Accept", "Accept-Contact", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Allow-Events",
    "Authentication-Info", "Authorization", "Call-ID", "Call-Info", "Contact", "Content-Disposition",
    "Content-Encoding", "Content-Language", "Content-Length", "Content-Type", "CSeq", "Date", "Diversion",
    "Error-Info", "Event", "Expires", "Feature-Caps", "Flow-Timer", "From", "Geolocation", "History-Info",
    "Identity", "In-Reply-To", "Max-Forwards", "MIME-Version", "Min-Expires", "Min-SE", "Organization",
    "P-Access-Network-Info", "P-Asserted-Identity", "P-Associated-URI", "P-Called-Party-ID",
    "P-Charging-Function-Addresses", "P-Charging-Vector", "P-Preferred-Identity", "P-Visited-Network-ID", "Path",
    "Priority", "Privacy", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Require", "RAck", "Reason",
    "Record-Route", "Refer-To", "Referred-By", "Remote-Party-ID", "Replaces", "Reply-To", "Request-Disposition",
    "Require", "Retry-After", "Route", "RSeq", "Security-Client", "Security-Server", "Security-Verify", "Server",
    "Service-Route", "Session-Expires", "SIP-ETag", "SIP-If-Match", "Subject", "Subscription-State", "Supported",
    "Timestamp", "To", "Unsupported", "User-Agent", "Via", "Warning", "WWW-Authenticate", "X-Asterisk-HangupCause",
)
# fmt: on

LONG_NAMES: Final = {name.lower(): name for name in _USUAL}
"""Each usual long name, in lower case, and how the RFCs write it."""

USUAL_NAMES: Final = {
    **{name: name.lower() for name in _USUAL},
    **{name.lower(): name.lower() for name in _USUAL},
    **COMPACT_FORMS,
    **{name.upper(): long for name, long in COMPACT_FORMS.items()},
    # Spellings met often enough to spare them the long way.
    "Call-Id": "call-id",
    "Cseq": "cseq",
    "Www-Authenticate": "www-authenticate",
}
"""The long name, in lower case, of each usual spelling: these need no check and no folding of case."""


def usual_name(key: str) -> str:
    """How the header of that key is written in the RFCs; an unknown one as it stands."""
    return LONG_NAMES.get(key, key)




def header_key(name: str) -> str:
    """The long name, in lower case, of a header as somebody wrote it (RFC 3261 sections 7.3.1 and 7.3.3)."""
    return USUAL_NAMES.get(name) or name.lower()
