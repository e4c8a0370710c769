"""How we know that a VM is what it should be: its state, and that it works at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from debugtui.remediation.base import LiveCheck, Sample, Settled
from debugtui.remediation.catalogue.libvirt.common import ask
from debugtui.remediation.catalogue.libvirt.domain import PAUSED, RUNNING, SHUTOFF, Pulse, Seen, by_uuid, pulse, read, words
from debugtui.remediation.eyes import Eyes

#: Seconds that a guest has to hold: one whose store is still full pauses again within two.
HOLD_S = 30
#: A guest whose counters have not moved for so many seconds does not work.
SILENT_S = 10.0


async def seen_of(eyes: Eyes, uuid: str) -> Seen:
    """Return a domain by UUID."""
    return await ask(eyes, lambda connection: read(by_uuid(connection, uuid)))


def stays_running(uuid: str, *, other_than: str = "", within_s: float = 15.0) -> LiveCheck:
    """It runs; `other_than`: as another instance than that one."""

    async def sample(eyes: Eyes) -> Sample:
        now = await ask(eyes, lambda connection: pulse(connection, uuid))
        if other_than and str(now.number) == other_than:
            return Sample(False, f"{words(now.state, now.reason)}, still instance {other_than}")
        return Sample(now.state == RUNNING, _instance(now))

    why = "libvirt's answer alone proves nothing: a guest may pause again within two seconds"
    return LiveCheck("running", HOLD_S, why, sample, within_s=within_s)


def _instance(now: Pulse) -> str:
    return words(now.state, now.reason) + (f", instance {now.number}" if now.number is not None else "")


class _Working:
    """Whether processor time or written bytes grew within the last seconds."""

    def __init__(self, uuid: str) -> None:
        self._uuid = uuid
        self._last: Pulse | None = None
        self._grew_at: float | None = None

    async def sample(self, eyes: Eyes) -> Sample:
        """Look once; the first look only has something to compare the next one with."""
        now = await ask(eyes, lambda connection: pulse(connection, self._uuid))
        at, last = eyes.clock.monotonic(), self._last
        self._last = now
        if last is None or last.number != now.number:
            return Sample(None, "first look")
        if now.cpu > last.cpu or now.written > last.written:
            self._grew_at = at
        says = f"{now.cpu / 1e9:.2f} s of processor, {now.written / 1e6:.1f} MB written"
        silent = self._grew_at is None or at - self._grew_at > SILENT_S * eyes.around.dwell
        return Sample(now.state == RUNNING and not silent, says)


def works(uuid: str) -> LiveCheck:
    """Its vCPUs get time or its disks are written to. Disk errors are no sign: libvirt keeps them after a cure."""
    why = "its processor time or written bytes have to grow: libvirt says `running` of a hung guest, too"
    return LiveCheck("works", HOLD_S, why, _Working(uuid).sample, within_s=20.0)


def in_state(name: str, uuid: str, states: tuple[int, ...], why: str, watch_s: int = 5) -> LiveCheck:
    """Its state is one of these."""

    async def sample(eyes: Eyes) -> Sample:
        now = await ask(eyes, lambda connection: pulse(connection, uuid))
        return Sample(now.state in states, _instance(now))

    return LiveCheck(name, watch_s, why, sample)


def seen_check(name: str, uuid: str, why: str, judge: Callable[[Seen], Sample], watch_s: int = 3, **more: Any) -> LiveCheck:
    """What `judge` says of the domain as it is."""

    async def sample(eyes: Eyes) -> Sample:
        return judge(await seen_of(eyes, uuid))

    return LiveCheck(name, watch_s, why, sample, **more)


def settle_by(uuid: str, judge: Callable[[Seen], bool | None]) -> Callable[[Eyes], Awaitable[Settled]]:
    """Return a `settle` that looks at the domain: True: done; False: not done; None: not known."""

    async def settle(eyes: Eyes) -> Settled:
        seen = await seen_of(eyes, uuid)
        answer = judge(seen)
        if answer:
            return Settled.DONE
        return Settled.UNKNOWN if answer is None or seen.busy else Settled.NOT_DONE

    return settle


async def unless_busy(eyes: Eyes, uuid: str, found: Settled) -> Settled:
    """Return what was found; "not done" only where no call is under way that may still do it."""
    if found is not Settled.NOT_DONE:
        return found
    return Settled.UNKNOWN if (await seen_of(eyes, uuid)).busy else found


def is_running(seen: Seen) -> bool | None:
    """For `settle_by`: it runs; paused or off: it does not; anything in between is not known."""
    return {RUNNING: True, PAUSED: False, SHUTOFF: False}.get(seen.state)


def is_off(seen: Seen) -> bool | None:
    """For `settle_by`: it is off."""
    return {SHUTOFF: True, RUNNING: False, PAUSED: False}.get(seen.state)
