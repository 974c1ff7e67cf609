"""What a REGISTER does to the bindings, and what the 200 says of them (RFC 3261 section 10.3, steps 6 to 8)."""

from __future__ import annotations

from random import Random

from sipcore.testing.sim.registrar_digest import NO_FINDING
from sipcore.testing.sim.registrar_messages import Request
from sipcore.testing.sim.registrar_rules import MAX_OTHERS, Rules
from sipcore.testing.sim.registrar_store import Binding, Contact, Store, parse_contacts

__all__ = ["NO_FINDING", "Outcome", "bind", "describe", "read_contacts"]

OUT_OF_ORDER = "CSeq Out of Order"


class Outcome:
    """What becomes of one request."""

    __slots__ = ("asked", "contacts", "finding", "granted", "lines", "reason", "status")

    def __init__(self) -> None:
        self.status = 200
        self.reason: str | None = None
        self.lines: list[str] = []
        self.finding = NO_FINDING
        self.contacts: tuple[str, ...] = ()
        self.asked: tuple[int | None, ...] = ()
        self.granted: tuple[int, ...] | None = None

    def refuse(self, status: int, *lines: str, reason: str | None = None) -> bool:
        """This status, with these header lines. False, to be returned."""
        self.status = status
        self.lines = list(lines)
        self.reason = reason
        return False


def read_contacts(request: Request, outcome: Outcome) -> None:
    """Note what the request names and asks for, before anything is decided."""
    headers = request.headers
    if "contact" not in headers:
        return
    expires = headers.get("expires")
    for value in request.all("contact"):
        contacts = parse_contacts(value)
        if contacts is None:
            continue
        if contacts == "*":
            outcome.contacts = ("*",)
            outcome.asked = (_seconds(expires),)
            return
        for contact in contacts:
            outcome.contacts = (*outcome.contacts, contact.uri.text)
            asked = expires if contact.expires is None else contact.expires
            outcome.asked = (*outcome.asked, _seconds(asked))


def bind(
    store: Store,
    rules: Rules,
    dice: Random,
    now: float,
    request: Request,
    outcome: Outcome,
    user: str,
    call_id: str,
    cseq: int,
) -> bool:
    """Do all that the request asks, or nothing of it and False; then the outcome says why."""
    values = request.all("contact")
    before = store.live(user, now)
    wanted: list[Contact] = []
    for value in values:
        contacts = parse_contacts(value)
        if contacts is None:
            return outcome.refuse(400, reason="Malformed Contact")
        if contacts == "*":
            if request.headers.get("expires") != "0" or len(values) != 1:
                return outcome.refuse(400, reason="Contact * Stands Alone with Expires 0")
            if any(item.call_id == call_id and cseq <= item.cseq for item in before):
                return outcome.refuse(500, reason=OUT_OF_ORDER)
            store.put(user, [])
            outcome.granted = (0,)
            return True
        wanted += contacts
    if not wanted:
        return True
    by_instance = rules.outbound and "outbound" in request.headers.get("supported", "")
    granted_each = []
    for asked in outcome.asked:
        granted = _grant(rules, dice, asked)
        if granted is None:
            return outcome.refuse(423, *([f"Min-Expires: {rules.min_expires}"] if rules.min_expires_header else ()))
        granted_each.append(granted)
    after = before.copy()
    for contact, granted in zip(wanted, granted_each, strict=True):
        place = _find(after, contact, by_instance=by_instance)
        if place is not None:
            found = after[place]
            # One request may name a contact twice; then it is not late because of itself.
            if found.call_id == call_id and cseq <= found.cseq and found in before:
                return outcome.refuse(500, reason=OUT_OF_ORDER)
            if not granted:
                del after[place]
                continue
        elif not granted:
            continue
        binding = Binding(contact, now + granted / rules.clock, call_id, cseq, True)
        if place is None:
            after.append(binding)
        else:
            after[place] = binding
    store.put(user, after)
    outcome.granted = tuple(granted_each)
    return True


def describe(store: Store, rules: Rules, now: float, request: Request, outcome: Outcome, user: str) -> None:
    """The header lines of the 200."""
    lines = outcome.lines
    live = store.live(user, now)
    if rules.list_contacts:
        if rules.others and outcome.contacts != ("*",):
            lines += [
                f"Contact: <sip:{user}@198.51.100.{number}:5062>;expires={1800 + number}"
                for number in range(1, min(rules.others, MAX_OTHERS) + 1)
            ]
        for binding in live:
            lines.append(_row(binding.contact, _left(binding, rules, now), rules))
    if rules.expires_header and live:
        # It speaks of what was just asked for; an older binding may have been granted more.
        told = max(outcome.granted or (0,)) or max(_left(binding, rules, now) for binding in live)
        lines.append(f"Expires: {told}")
    lines += [f"Service-Route: {value}" for value in rules.service_route]
    supported = request.headers.get("supported", "")
    if "path" in supported:
        lines += [f"Path: {value}" for value in (*rules.path, *request.all("path"))]
    if rules.outbound and "outbound" in supported:
        lines.append("Require: outbound")
        if rules.flow_timer is not None:
            lines.append(f"Flow-Timer: {rules.flow_timer}")
    lines += [f"P-Associated-URI: {value}" for value in rules.associated]


def _left(binding: Binding, rules: Rules, now: float) -> int:
    # Never 0, which would say that it is gone.
    return round((binding.expires_at - now) * rules.clock) or 1


def _find(bindings: list[Binding], contact: Contact, *, by_instance: bool) -> int | None:
    """Where the contact is bound already."""
    if by_instance and contact.reg_id is not None and contact.instance is not None:
        # RFC 5626 section 6.
        flow = contact.instance, contact.reg_id
        for place, binding in enumerate(bindings):
            if (binding.contact.instance, binding.contact.reg_id) == flow:
                return place
        return None
    # Equality of URIs is not transitive, so the same text goes before another that is equal.
    text = contact.uri.text
    for place, binding in enumerate(bindings):
        if binding.contact.uri.text == text:
            return place
    for place, binding in enumerate(bindings):
        if binding.contact.uri.same(contact.uri):
            return place
    return None


def _grant(rules: Rules, dice: Random, asked: int | None) -> int | None:
    """Seconds; None when too little is asked for."""
    if asked is None:
        asked = rules.default_expires
    if asked == 0:
        return 0
    if asked < rules.min_expires:
        return None
    if asked > rules.max_expires:
        asked = rules.max_expires
    if rules.grant_factor != 1.0:
        asked = int(asked * rules.grant_factor)
    if rules.grant_spread > 0:
        asked = int(asked * (1.0 - rules.grant_spread * dice.random()))
    return asked or 1


def _seconds(text: str | None) -> int | None:
    """RFC 3261 section 20.19; what cannot be read counts as not said."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 11 else None


def _row(contact: Contact, left: int, rules: Rules) -> str:
    uri, parameters, form = contact.uri.text, contact.parameters, rules.contact_form
    expires = "" if rules.expires_header else f";expires={left}"
    if form == "same":
        return f"Contact: <{uri}>{expires}{parameters}"
    if form == "case":
        user, at, rest = uri.partition("@")
        if at:
            scheme, colon, name = user.partition(":")
            host, mark, more = rest.partition(";")
            uri = f"{scheme.upper()}{colon}{name}@{host.upper()}{mark}{more}"
        expires = expires.replace("expires", "EXPIRES")
    elif form == "parameters":
        parameters = f'{parameters};x-seen="a, b;c>";x-new'
    elif form == "uri parameters":
        uri = f"{uri};x-seen=1"
    elif form == "display name":
        return f'Contact: "Office, \\"main\\" <1>" <{uri}>{expires}{parameters}'
    elif form == "order":
        address, *items = uri.split(";")
        uri = ";".join([address, *reversed(items)])
    return f"Contact: <{uri}>{expires}{parameters}"
