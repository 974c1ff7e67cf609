"""Who comes, who leaves, and who takes over from whom: at a reload, at the start and at the end.

The conflicts between a registration that leaves and the one that has its name, or its Contact, are told in the room's
text. What a single registration does in each case it does itself (`sipcore.registration.reloading` and `ending`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from sipcore.config import Account
from sipcore.events import StatusChanged
from sipcore.registration import Registration, Wanted
from sipcore.registration.contacts import same_address_of_record, same_binding, same_contact
from sipcore.registration.ending import supersede
from sipcore.registration.memory import stands
from sipcore.registration.orphan import Heritage, account_of
from sipcore.registration.reloading import change, lose_name, retire, revive
from sipcore.registration.view import view
from sipcore.roster.directory import socket_of
from sipcore.roster.records import Records
from sipcore.values import Cause, Phase, State

__all__ = ["Succession"]


class Succession(Records):
    """Registrations that come and leave, and what is left of them."""

    def __init__(
        self,
        *,
        random: Random,
        allowed: str,
        snapshot: Mapping[str, Mapping[str, object]] | None,
        now: float,
        wall: float,
        remembers: bool,
    ) -> None:
        super().__init__(random=random, allowed=allowed, snapshot=snapshot, now=now, wall=wall, remembers=remembers)
        self._leaving: dict[Registration, None] = {}
        """Removed or replaced, with a binding that is not gone yet; their names may be in use again. In order, as all
        that leads to outputs."""
        self._former: dict[str, list[Registration]] = {}
        """Those of them whose name another has by now; some are removed once that one has a binding."""
        self._closing = False

    # --- coming and leaving ----------------------------------------------------------------------------------------

    def _reload(self, wanted: Mapping[str, Account], now: float) -> None:
        """Have exactly these registrations, given by name; what did not change is not touched."""
        added = {
            (account.aor, account.registrar): account
            for name, account in wanted.items()
            if name not in self._registrations and name not in self._former
        }
        for name, registration in list(self._registrations.items()):
            if name in wanted or registration.wanted is Wanted.GONE:
                continue
            renamed = added.pop((registration.account.aor, registration.account.registrar), None)
            # One that others wait for ends together with them.
            if renamed is not None and name not in self._former:
                self._rename(registration, renamed, now)
                continue
            self._leaving[registration] = None
            registration.remove(now)
            self._remove_former(name, now)
        for name, account in wanted.items():
            old = self._registrations.get(name)
            if old is None or old.wanted is Wanted.GONE:
                self._add(account, now).register(now)
            elif (old.account.aor, old.account.registrar) != (account.aor, account.registrar):
                self._replace(old, account, now)
            else:
                self._listen(account.transport)
                change(old, account, now)
        self._by_contact = None
        self._tidy_listeners()

    def _add(self, account: Account, now: float) -> Registration:
        self._listen(account.transport)
        name = account.name
        former = self._former.get(name, [])
        old = self._registrations.get(name)
        if old is not None:
            former = self._former.setdefault(name, [])
            former.append(old)
        self._by_contact = None
        for item in former:
            if (item.account.aor, item.account.registrar) == (account.aor, account.registrar):
                # It is being removed, or is about to be. A second registration of the same Contact would race its
                # removal, and the later of the two requests to arrive would win; the same one goes on in order.
                former.remove(item)
                if not former:
                    self._former.pop(name, None)
                self._leaving.pop(item, None)
                if old is not None and old is not item:
                    lose_name(old)
                self._registrations[name] = item
                revive(item, account, now)
                return item
        if old is not None:
            lose_name(old)
        registration = Registration(self, account, now)
        self._registrations[name] = registration
        record, then, wall = self._snapshot.get(name, (None, now, 0.0))
        # One of another address of record or registrar is not ours, but somebody has to remove what it left.
        if isinstance(record, Mapping) and (record.get("aor"), record.get("registrar")) == (
            account.aor,
            account.registrar,
        ):
            del self._snapshot[name]
            self._recall(registration, name, record, then, wall, now)
        return registration

    def _replace(self, old: Registration, account: Account, now: float) -> None:
        self._leaving[old] = None
        if old.wanted is Wanted.DOWN:
            # Un-registered on request, and it stays so: nobody takes over what may be left of the old one.
            old.remove(now)
            self._remove_former(account.name, now)
            self._add(account, now)
            return
        new = self._add(account, now)
        retire(old, account.name)
        new.register(now)

    def _rename(self, registration: Registration, account: Account, now: float) -> None:
        """The same registration under another name: whoever follows the old name is told that it ended."""
        name = registration.name
        status = view(registration)
        ended = replace(
            status, state=State.STOPPED, cause=Cause(detail=f"renamed to {account.name}"), next_attempt_at=None
        )
        self.put(StatusChanged(status=ended, previous=status.state))
        del self._registrations[name]
        self._registrations[account.name] = registration
        for flow in self.flows.values():
            if name in flow.users:
                flow.users.discard(name)
                flow.users.add(account.name)
        change(registration, account, now)

    def _remove_former(self, name: str, now: float) -> None:
        """Those that waited for the registration of that name wait no longer: nobody takes over from them."""
        for old in tuple(self._former.get(name, ())):
            if old.successor is not None:
                old.successor = None
                if old.exchange is None:
                    old.remove(now)

    # --- what is left of an earlier process ------------------------------------------------------------------------

    def _remove_orphans(self, now: float) -> None:
        """Remove the bindings of all records that no account claimed."""
        records, self._snapshot = self._snapshot, {}
        heritage = Heritage(item.account for item in self._registrations.values())
        for key, (record, then, wall) in records.items():
            account = account_of(record, heritage) if isinstance(record, Mapping) else None
            if account is None:
                self._forget(key)
            else:
                self._remove_orphan(key, account, record, then, wall, now)

    def _remove_orphan(
        self, key: str, account: Account, record: Mapping[str, object], then: float, wall: float, now: float
    ) -> None:
        registration = Registration(self, account, now)
        self._recall(registration, key, record, then, wall, now)
        if not stands(registration, now):
            self._forget(key)
            return
        name = account.name
        heir = self._registrations.get(name)
        self._leaving[registration] = None
        if heir is None:
            self._registrations[name] = registration
            registration.remove(now)
            return
        self._former.setdefault(name, []).append(registration)
        if heir.wanted is Wanted.UP:
            # As when a reload changes the address: first the new binding, then the old one goes.
            retire(registration, name)
            if heir.expires_at is not None:
                self.succeeded(heir, now)
        else:
            lose_name(registration)
            registration.remove(now)

    # --- what registrations need -----------------------------------------------------------------------------------

    def succeeded(self, registration: Registration, now: float) -> None:
        """What waited for this binding may go."""
        for old in tuple(self._former.get(registration.name, ())):
            if old.successor is not None:
                old.successor = None
                # A removal that is under way may still meet the new binding: its end is waited for.
                if same_binding(registration, old) and old.phase is not Phase.REMOVING:
                    supersede(old, now)
                elif old.exchange is None:
                    old.remove(now)

    def emptied(self, registration: Registration, now: float) -> None:
        """Its `Contact: *` may have met the binding of the one that has its name now, which then registers again."""
        heir = self._registrations.get(registration.account.name)
        if heir is not None and same_address_of_record(heir, registration):
            heir.listener_changed(now)

    def stopped(self, registration: Registration, now: float) -> None:
        """Forget a registration that has nothing left to do."""
        # One that is still configured when the agent closes keeps its identity for the next process.
        if registration.kept is not None and (registration.replaced or not self._closing):
            kept, registration.kept = registration.kept, None
            self._forget(kept.key)
        self._leaving.pop(registration, None)
        name = registration.account.name
        former = self._former.get(name, [])
        if registration in former:
            former.remove(registration)
            if not former:
                del self._former[name]
            heir = self._registrations.get(name)
            bound = heir is not None and (heir.expires_at is not None or heir.exchange is not None)
            if heir is not None and bound and same_contact(heir, registration):
                # Two names of one registrar: what removed the old binding has removed the new one.
                heir.listener_changed(now)
        if registration.line:
            self._lines.pop(registration.line, None)
        if self._registrations.get(name) is registration:
            del self._registrations[name]
            self._by_contact = None
            socket = socket_of(registration)
            if socket in self._listeners and not any(
                socket_of(other) == socket for other in self._registrations.values()
            ):
                self._tidy_listeners()
