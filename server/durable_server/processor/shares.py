"""Shares of a resource that one node owns and several nodes use: slots of a worker, runs of a handler.

The owner divides its capacity into units. A unit is with the owner, with one holder, or in a message
between them, and never in two places. So whatever is late or in flight, the holders together never use
more than the capacity.

    owner ── Grant(units, keep) ──► holder      more units, and how many it may keep
          ◄── Report(returned, wants) ──        units that it gives back, and how many it waits for

A holder asks when work waits and it has no unit that is free. The owner gives what it has, and asks the
other holders for the rest: `keep` says how many units a holder may keep. Above it, a holder gives back
what it does not use, at once if nothing waits there, else as its uses end. Holders that want more than
there is get equal parts. When there are more of them than units, a unit goes round: who uses it
gives it back after one use, and the one that has waited longest is next.

Nobody sends anything while no holder waits, nor while all of them use their equal parts.

Both sides are pure: they return the messages, which must arrive in the order in which they were sent.
When a link breaks, the owner removes the holder and adds it again with the units that it then has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grant:
    """From the owner to a holder."""

    units: int = 0
    """How many more units the holder has from now on."""
    keep: int | None = None
    """Above how many units it gives back those that it does not use; None: it may keep all."""


@dataclass(frozen=True, slots=True)
class Report:
    """From a holder to the owner."""

    returned: int = 0
    """How many units the holder gives back; negative if uses came to it with their units."""
    wants: int = 0
    """How many more it could use now. It replaces what an earlier report has said."""
    received: int = 0
    """How many units it has been granted so far. Those still on the way are part of `wants`."""


class Holding:
    """The units that one holder has."""

    __slots__ = ("_asked", "_keep", "_received", "_returned", "units")

    def __init__(self, units: int = 0) -> None:
        self.units = units
        """How many it may use at a time."""
        self._keep: int | None = None
        self._returned = 0
        """Those given back since the last report."""
        self._asked = 0
        """How many of those that the last report has asked for have not come yet."""
        self._received = 0
        """How many units were granted in all."""

    def granted(self, grant: Grant) -> None:
        """Takes what the owner has sent."""
        self.units += grant.units
        self._received += grant.units
        self._keep = grant.keep
        self._asked = max(0, self._asked - grant.units)

    def released(self) -> bool:
        """Notes that a use has ended; returns whether its unit goes back, so that a report is due."""
        if self._keep is None or self.units <= self._keep:
            return False
        self.units -= 1
        self._returned += 1
        return True

    def restart(self) -> None:
        """Forgets what was sent and not heard, because the owner is told `units` anew."""
        self._keep = None
        self._returned = self._asked = self._received = 0

    def taken_over(self, used: int) -> None:
        """Takes the units of uses that came here, so that there are as many as `used`."""
        if used > self.units:
            self._returned -= used - self.units
            self.units = used

    def left(self, uses: int) -> None:
        """Gives back the units of uses that have left."""
        uses = min(uses, self.units)
        self.units -= uses
        self._returned += uses

    def lost(self, uses: int) -> None:
        """Gives up the units of uses that have left, and the owner still counts them as here."""
        self.units -= min(uses, self.units)

    def report(self, used: int, waiting: int) -> Report | None:
        """Returns what the owner has to hear now, if anything.

        `used` is how many units are in use, `waiting` how many uses wait for a unit.
        """
        if not waiting and self._keep is not None:
            surplus = self.units - max(used, self._keep)
            if surplus > 0:
                self.units -= surplus
                self._returned += surplus
        asked = self._asked
        if not waiting:
            asked = 0
        elif used >= self.units and not asked:
            asked = waiting
        if not self._returned and asked == self._asked:
            return None
        returned, self._returned, self._asked = self._returned, 0, asked
        return Report(returned, asked, self._received)


class _Holder:
    """What the owner knows of a holder."""

    __slots__ = ("granted", "held", "keep", "sent", "wants")

    def __init__(self, held: int, granted: int) -> None:
        self.held = held
        """The units that are with it or on the way to or from it."""
        self.granted = granted
        """When it was last given a unit, in numbers that grow."""
        self.wants = 0
        """How many units it has asked for and not been given."""
        self.sent = 0
        """How many units it has been given in all."""
        self.keep: int | None = None
        """What it was told last."""

    def must_hear(self, keep: int | None) -> bool:
        """Returns whether it has to know a new `keep`, because it would give back other units."""
        gives = 0 if self.keep is None else max(0, self.held - self.keep)
        should = 0 if keep is None else max(0, self.held - keep)
        # One that gives back too much and does not want them can as well ask for them later.
        return should > gives or (should < gives and self.wants > 0)


class Shares:
    """The owner's side: who holds how much of a capacity."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        """How many units there are; `settle` is due when it changes."""
        self._holders: dict[str, _Holder] = {}
        self._grants = 0

    @property
    def free(self) -> int:
        """How many units no holder has; negative when they have more than the capacity."""
        return self.capacity - sum(it.held for it in self._holders.values())

    def held(self, name: str) -> int:
        """Returns how many units a holder has."""
        return self._holders[name].held

    def add(self, name: str, held: int) -> None:
        """Adds a holder that has so many units already. It counts even if it is above the capacity."""
        self._holders[name] = _Holder(held, self._grants)

    def remove(self, name: str) -> None:
        """Removes a holder, if it is known; its units are free."""
        self._holders.pop(name, None)

    def spread(self) -> None:
        """Divides the free units equally, before the holders start; the first get the remainder."""
        holders = list(self._holders.values())
        while holders:
            room = max(0, self.free) + sum(it.held for it in holders)
            parts = _fair_parts([room] * len(holders), room)
            above = [it for it, part in zip(holders, parts, strict=True) if it.held > part]
            if not above:
                for holder, part in zip(holders, parts, strict=True):
                    holder.held = part
                return
            holders = [it for it in holders if it not in above]

    def report(self, name: str, report: Report) -> None:
        """Takes the report of a holder; `settle` is due then."""
        holder = self._holders[name]
        holder.held -= report.returned
        # Without those on the way it would count as waiting when it has all that it wants.
        holder.wants = max(0, report.wants - (holder.sent - report.received))

    def settle(self) -> list[tuple[str, Grant]]:
        """Returns the grants to send now, to whom and in which order."""
        wanting = [it for it in self._holders.values() if it.wants]
        if not wanting and self.free >= 0:
            return []
        room = max(0, self.free + sum(it.held for it in wanting))
        # Who has more keeps the remainder, so that it does not go round for nothing.
        wanting.sort(key=lambda it: (-it.held, it.granted))
        parts = dict(
            zip(
                map(id, wanting),
                _fair_parts([it.held + it.wants for it in wanting], room),
                strict=True,
            )
        )
        # With fewer units than holders that want one, each goes on after one use.
        scarce = room < len(wanting)
        granted = {id(it): self._give(it, parts[id(it)]) for it in reversed(wanting)}
        unmet = sum(it.wants for it in wanting) + max(0, -self.free)
        grants = []
        for name, holder in self._holders.items():
            units = granted.get(id(holder), 0)
            keep = None
            if unmet and holder.wants:
                keep = 0 if scarce else parts[id(holder)]
            elif unmet:
                keep = max(0, holder.held - unmet)
            if units or holder.must_hear(keep):
                holder.keep = keep
                grants.append((name, Grant(units, keep)))
        return grants

    def _give(self, holder: _Holder, part: int) -> int:
        """Gives a holder the free units up to its part; returns how many."""
        units = min(part - holder.held, self.free)
        if units <= 0:
            return 0
        self._grants += 1
        holder.granted = self._grants
        holder.held += units
        holder.sent += units
        holder.wants -= units
        return units


def _fair_parts(demands: Sequence[int], room: int) -> list[int]:
    """Divides `room` so that nobody gets more than its demand, and the smallest parts are as large as
    they can be; the first of those that get less than their demand get the remainder.
    """
    parts = list(demands)
    left = sorted(range(len(demands)), key=demands.__getitem__, reverse=True)
    while left and demands[left[-1]] <= room // len(left):
        room -= demands[left.pop()]
    for number, index in enumerate(sorted(left)):
        parts[index] = room // len(left) + (number < room % len(left))
    return parts
