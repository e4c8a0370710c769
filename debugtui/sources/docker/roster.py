"""What is known of the containers of one engine from read to read: who must be looked at again, and what is shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from debugtui.model.docker import Container
from debugtui.sources.docker.containers import Details, Listed, parse_listed
from debugtui.sources.docker.events import Happened
from debugtui.sources.docker.looping import RestartWatch
from debugtui.sources.docker.stats import Rates, Sample, rates_between

#: Most containers read of one engine.
MOST_CONTAINERS = 2_000

#: A container whose answer took too long, or failed, is asked again after this many seconds.
REST = 30.0

_NO_RATES = Rates()


@dataclass(slots=True)
class Known:
    """One container. Times are the event loop's, in seconds."""

    raw: Any
    listed: Listed
    details: Details | None = None
    inspected_as: tuple[object, str] = ((), "")
    inspected_at: float = 0.0
    touched: bool = True
    sample: Sample | None = None
    sampled_at: float = 0.0
    rates: Rates = _NO_RATES
    resting_until: float = 0.0
    last_exit: int | None = None
    ended_by_oom: bool = False


class Roster:
    """The containers of one engine; not bound to a connection."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self._watch = RestartWatch()
        #: How many containers the engine listed beyond `MOST_CONTAINERS`.
        self.left_out = 0

    def listed(self, answer: list[Any]) -> None:
        """Take in the engine's list of all containers."""
        self.left_out = max(0, len(answer) - MOST_CONTAINERS)
        now: dict[str, Known] = {}
        for raw in answer[:MOST_CONTAINERS]:
            identity = raw.get("Id") if isinstance(raw, dict) else None
            known = self._known.get(identity) if isinstance(identity, str) else None
            if known is not None and known.raw == raw:
                now[known.listed.id] = known
                continue
            listed = parse_listed(raw)
            if listed is None:
                continue
            known = self._known.get(listed.id)
            if known is None:
                known = Known(raw, listed)
            else:
                known.raw, known.listed = raw, listed
            now[listed.id] = known
        self._known = now
        self._watch.keep(now.keys())

    def happened(self, happened: Happened) -> None:
        """Take note of an event: its container is inspected at the next read."""
        event = happened.event
        if event.type != "container":
            return
        self._watch.event(happened.identity, event.action, event.at)
        known = self._known.get(happened.identity)
        if known is None:
            return
        known.touched = True
        if event.action == "oom":
            known.ended_by_oom = True

    # --- whom to ask -------------------------------------------------------------------------------------------------------

    def to_inspect(self, now: float, most: int, *, everyone: bool, events_live: bool) -> list[Known]:
        """Return whom to inspect: who is new, changed, touched by an event or restarting; then, for `everyone`, the rest.

        Without events a restart can go unseen in the state alone: then any change of the status line counts.
        """
        urgent, others = [], []
        for known in self._known.values():
            if known.resting_until > now:
                continue
            listed = known.listed
            if (
                known.details is None
                or known.touched
                or listed.state == "restarting"
                or known.inspected_as[0] != listed.signature
                or not (events_live or known.inspected_as[1] == listed.status)
            ):
                urgent.append(known)
            elif everyone:
                others.append(known)
        urgent.sort(key=lambda known: (known.details is not None, known.inspected_at))
        others.sort(key=lambda known: known.inspected_at)
        return (urgent + others)[:most]

    def to_sample(self, now: float, most: int) -> list[Known]:
        """Return whose figures to read: who has none yet, then whose are oldest."""
        running = [known for known in self._known.values() if known.listed.running and known.resting_until <= now]
        running.sort(key=lambda known: (known.sample is not None, known.sampled_at))
        return running[:most]

    @property
    def uninspected(self) -> int:
        """How many containers were never inspected."""
        return sum(known.details is None for known in self._known.values())

    @property
    def resting(self) -> int:
        """How many containers are left alone for a while because asking about them took too long or failed."""
        return sum(known.resting_until > 0 for known in self._known.values())

    # --- what they answered ------------------------------------------------------------------------------------------------

    def inspected(self, known: Known, details: Details, now: float, engine_now: datetime) -> None:
        """Take in what inspect told."""
        known.details, known.inspected_at = details, now
        known.inspected_as = (known.listed.signature, known.listed.status)
        known.resting_until = 0.0
        self._watch.read(known.listed.id, details, engine_now)
        if details.state in ("exited", "dead", "restarting"):
            known.last_exit, known.ended_by_oom = details.exit_code, details.oom_killed

    def sampled(self, known: Known, sample: Sample | None, now: float) -> None:
        """Take in a container's counters; None: it does not run any more."""
        known.sampled_at = now
        if sample is None:
            known.sample, known.rates = None, _NO_RATES
            return
        before = known.sample
        rates = rates_between(before, sample) if before is not None else None
        if rates is not None:
            known.rates = rates
        elif before is not None and sample.cpu_ns >= before.cpu_ns:
            return  # too soon after the last one: keep that as the base
        else:
            known.rates = _NO_RATES
        known.sample = sample

    def rest(self, known: Known, now: float) -> None:
        """Leave a container alone for a while."""
        known.resting_until = now + REST

    # --- what is shown -----------------------------------------------------------------------------------------------------

    def containers(self, engine_now: datetime) -> tuple[Container, ...]:
        """Return all containers, in the engine's order."""
        return tuple(self._container(known, engine_now) for known in self._known.values())

    def users_of_images(self) -> Counter[str]:
        """Count the containers of each image id."""
        return Counter(known.listed.image_id for known in self._known.values())

    def users_of_volumes(self) -> Counter[str]:
        """Count the containers of each volume."""
        return Counter(name for known in self._known.values() for name in set(known.listed.volumes))

    def _container(self, known: Known, engine_now: datetime) -> Container:
        listed, details, sample = known.listed, known.details, known.sample
        looping = listed.state == "restarting" or (
            details is not None and self._watch.looping(listed.id, listed.state, details, engine_now)
        )
        sample = sample if listed.running else None
        rates = known.rates if listed.running else _NO_RATES
        return Container(
            id=listed.id,
            name=listed.name,
            image=listed.image,
            image_id=listed.image_id,
            command=listed.command,
            project=listed.project,
            service=listed.service,
            state=listed.state,
            status=listed.status,
            health=listed.health if listed.health != "none" or details is None or listed.running else details.health,
            exit_code=_exit_code(known),
            oom_killed=_by_oom(known, looping=looping),
            restarts=details.restarts if details else 0,
            restart_policy=details.policy if details else "",
            looping=looping,
            created_at=listed.created_at,
            started_at=details.started_at if details else None,
            finished_at=details.finished_at if details else None,
            cpu_percent=rates.cpu_percent,
            memory_bytes=sample.memory_bytes if sample else None,
            memory_limit_bytes=details.memory_limit if details else None,
            pids=sample.pids if sample else None,
            rx_bytes_s=rates.rx_bytes_s,
            tx_bytes_s=rates.tx_bytes_s,
            read_bytes_s=rates.read_bytes_s,
            write_bytes_s=rates.write_bytes_s,
            ports=listed.ports,
            networks=listed.networks,
            mounts=listed.mounts,
            error=details.error if details else "",
            published=details.published if details else (),
            addresses=listed.addresses,
            aliases=details.aliases if details else (),
            listens=details.listens if details else (),
            connects=details.connects if details else (),
            depends_on=listed.depends_on,
            labels=listed.labels,
        )


def _exit_code(known: Known) -> int | None:
    """Return the code of the last end; the engine says 0 for what never ended."""
    listed, details = known.listed, known.details
    if listed.exit_code is not None and listed.state in ("exited", "dead", "restarting"):
        return listed.exit_code
    if details is None or details.finished_at is None:
        return known.last_exit
    if listed.running:
        return known.last_exit  # the engine forgets it when the container starts again
    return details.exit_code


def _by_oom(known: Known, *, looping: bool) -> bool:
    """True where the last end was for want of memory; of a running container only while it loops."""
    if known.listed.running and not looping:
        return False
    return known.ended_by_oom or (known.details is not None and known.details.oom_killed)
