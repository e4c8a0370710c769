"""Shutting a guest down the polite way, and starting it: what `start` and `restart` share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from debugtui.hosts.link import LinkError
from debugtui.remediation.base import Done, Settled, StepError
from debugtui.remediation.catalogue.libvirt import common
from debugtui.remediation.catalogue.libvirt.domain import SHUTOFF, by_uuid, same
from debugtui.remediation.catalogue.libvirt.observe import seen_of
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.base import SourceError

#: virDomainShutdownFlagValues.
ACPI, AGENT = 1, 2
#: Seconds between two looks while a guest shuts down.
EVERY_S = 1.0
#: Seconds that a guest gets to shut down, unless told.
WAIT_S = 180

Settle = Callable[[Eyes], Awaitable[Settled]]


def ask_to_shut_down(connection: Any, expect: Mapping[str, str], keys: tuple[str, ...], *, agent: bool) -> str:
    """Ask a guest to shut down, by its agent where that answers, else by ACPI; in libvirt's thread.

    Returns:
        how it was asked; empty: it was off already.
    """
    import libvirt

    domain = same(connection, expect, *keys)
    if domain.state()[0] == SHUTOFF:
        return ""
    if agent:
        try:
            domain.shutdownFlags(AGENT)
        except libvirt.libvirtError as error:
            if error.get_error_code() not in (libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED):
                raise
        else:
            return "by its agent"
    if str(connection.getType()).upper() == "TEST":
        domain.shutdown()  # libvirt's own test driver takes no flags
    else:
        domain.shutdownFlags(ACPI)
    return "by ACPI"


async def shut_down(
    hands: Hands, expect: Mapping[str, str], keys: tuple[str, ...], settle: Settle, *, agent: bool, wait_s: int
) -> Done:
    """Ask a guest to shut down and wait until it is off.

    Raises:
        StepError: it does not react: it still runs, nothing changed; or it could not be seen whether it does.
    """
    how = await common.send(hands, lambda connection: ask_to_shut_down(connection, expect, keys, agent=agent), settle)
    if not how:
        return Done(f"{expect['name']} is off already")
    hands.tell(f"{expect['name']} was asked {how}; waiting up to {wait_s} s")
    until = hands.clock.monotonic() + wait_s
    state: int | None = None
    while True:
        try:
            seen = await seen_of(hands, expect["uuid"])
            state = seen.state
        except (SourceError, LinkError):
            state = None
        if state == SHUTOFF:
            return Done(f"{expect['name']} shut down, asked {how}", {"shut_down": how})
        if hands.clock.monotonic() >= until:
            break
        await asyncio.sleep(EVERY_S)
    if state is None:
        raise StepError(f"{expect['name']} was asked to shut down {how}; whether it did could not be seen", changed=None)
    says = f"{expect['name']} was asked to shut down {how} and still runs after {wait_s} s; it was not forced"
    raise StepError(says, changed=False)


def create(connection: Any, expect: Mapping[str, str], keys: tuple[str, ...]) -> int | None:
    """Start a domain that is off; in libvirt's thread. Returns its number, or None where it is not off."""
    domain = same(connection, expect, *keys)
    if domain.state()[0] != SHUTOFF:
        return None
    domain.create()
    return int(by_uuid(connection, expect["uuid"]).ID())
