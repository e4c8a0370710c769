"""Guards that every repair of a container has: its log was read, it does not vanish, who depends on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from debugtui.config.redaction import redact
from debugtui.model.plan import Guard, GuardStatus
from debugtui.model.text import clean, line
from debugtui.remediation.base import Factor
from debugtui.remediation.catalogue.docker.common import (
    PROJECT_LABEL,
    SERVICE_LABEL,
    Box,
    containers,
    look,
    own_names,
)
from debugtui.remediation.eyes import Eyes
from debugtui.sources.base import SourceError

PASS, FAIL, UNKNOWN = GuardStatus.PASS, GuardStatus.FAIL, GuardStatus.UNKNOWN

#: Lines of the log that are read before anything is done, and characters of them that a plan keeps, the newest.
LOG_LINES = 200
LOG_CHARACTERS = 6_000

#: Seconds that one replica may be away while others serve (docs/risk.md: interruption 2).
SHORT_GAP = 30

#: Most containers of the same service that are looked at.
_MOST_TWINS = 10

_DEPENDS_LABEL = "com.docker.compose.depends_on"


async def logs_read(eyes: Eyes, box: Box) -> Guard:
    """Read the last lines of the log, with how it ended: a restart may be all that is left of the reason."""
    from debugtui.sources.docker.logs import read_logs

    ended = (
        f"exit code {box.number('State', 'ExitCode')}, {'' if box.oom_killed else 'not '}ended for want of memory, "
        f"started again by itself {box.restarts} times"
    )
    if words := box.text("State", "Error"):
        ended += f"; the engine says: {redact(line(words, 300))}"
    texts: list[str] = []
    try:
        async for batch in read_logs(await eyes.docker(), box.id, tail=LOG_LINES, since=None, follow=False):
            texts.extend(redact(clean(entry.text, 2_000)) for entry in batch)
    except SourceError as error:
        why = f"its log cannot be read: {error.problem.says}"
        return Guard("logs_read", UNKNOWN, redact(line(why, 300)), ended, critical=False)
    tail = "\n".join(texts[-LOG_LINES:])
    if len(tail) > LOG_CHARACTERS:
        tail = f"… {tail[-LOG_CHARACTERS:]}"
    why = f"its last {len(texts)} log lines were read" if texts else "its log was read: it is empty"
    return Guard("logs_read", PASS, why, f"{ended}\n{tail}" if tail else ended)


def not_auto_remove(box: Box) -> Guard:
    """A container made with `--rm` vanishes when it ends, with its log and its anonymous volumes."""
    if box.auto_remove:
        why = "it was made with --rm: it vanishes when it ends"
        return Guard("not_auto_remove", FAIL, why, "HostConfig.AutoRemove is true")
    return Guard("not_auto_remove", PASS, "it stays when it ends", "HostConfig.AutoRemove is false, read just now")


def not_being_removed(box: Box) -> Guard:
    """Nobody removes it right now."""
    if box.status in ("removing", "dead"):
        return Guard("not_being_removed", FAIL, f"the engine is removing it, or failed to: it is {box.status}", "State.Status")
    return Guard("not_being_removed", PASS, "nobody removes it", f"State.Status is {box.status}, read just now")


def not_paused(box: Box) -> Guard:
    """A paused container does nothing that it is told."""
    if box.flag("State", "Paused"):
        why = "it is paused: somebody froze it on purpose; docker.unpause lets it go on"
        return Guard("not_paused", FAIL, why, "State.Paused is true")
    return Guard("not_paused", PASS, "it is not paused", "State.Paused is false, read just now")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Containers around one.

    Attributes:
        twins: others of the same Compose project and service that run and are healthy.
        weak: others of the same service that do not.
        dependants: who depends on it, in words.
    """

    twins: tuple[str, ...]
    weak: tuple[str, ...]
    dependants: tuple[str, ...]

    def guard(self) -> Guard:
        """Name who depends on it."""
        read = "labels and networks of all containers, read just now"
        if not self.dependants:
            return Guard("dependants", PASS, "no other container is known to depend on it", read)
        why = f"they depend on it: {', '.join(self.dependants[:10])}"
        if len(self.dependants) > 10:
            why += f" and {len(self.dependants) - 10} more"
        return Guard("dependants", PASS, why, read)

    def replicas(self, box: Box) -> Guard:
        """Say who serves meanwhile."""
        if self.twins:
            why = f"{', '.join(self.twins[:5])} of the same service serves meanwhile"
            which = "running and healthy, read just now"
        else:
            why = "no other healthy container of its service is here: nobody serves meanwhile"
            which = f"others: {', '.join(self.weak[:5])}" if self.weak else f"service {line(box.service, 80) or 'unknown'}"
        return Guard("replicas", PASS, why, which)


async def neighbours(eyes: Eyes, box: Box) -> Neighbours:
    """Find the other containers of its service, and those that depend on it."""
    client = await eyes.docker()
    entries = sorted((one for one in await containers(client) if one["Id"] != box.id), key=_name)
    twins: list[str] = []
    weak: list[str] = []
    for entry in [one for one in entries if _same_service(one, box)][:_MOST_TWINS]:
        other = await look(client, str(entry["Id"]))
        if other is not None:
            (weak if other.failing or other.health == "starting" else twins).append(other.shown)
    return Neighbours(tuple(twins), tuple(weak), tuple(_dependants(entries, box)))


def _name(entry: dict[str, Any]) -> str:
    return (own_names(entry) or [str(entry["Id"])])[0]


def _labels(entry: dict[str, Any]) -> dict[str, Any]:
    found = entry.get("Labels")
    return found if isinstance(found, dict) else {}


def _same_service(entry: dict[str, Any], box: Box) -> bool:
    labels = _labels(entry)
    same = (labels.get(PROJECT_LABEL), labels.get(SERVICE_LABEL)) == (box.project, box.service)
    return bool(box.service) and same


def _dependants(entries: Iterable[dict[str, Any]], box: Box) -> Iterable[str]:
    for entry in entries:
        labels, name = _labels(entry), line(_name(entry), 80)
        wanted = [part.partition(":")[0].strip() for part in str(labels.get(_DEPENDS_LABEL) or "").split(",")]
        host = entry.get("HostConfig")
        mode = str(host.get("NetworkMode") or "") if isinstance(host, dict) else ""
        aliases = [str(alias) for alias in entry.get("Names") or () if str(alias).count("/") > 1]
        if mode in (f"container:{box.id}", f"container:{box.name}"):
            yield f"{name} (uses its network)"
        elif box.service and labels.get(PROJECT_LABEL) == box.project and box.service in wanted:
            yield f"{name} (depends_on)"
        elif any(alias.startswith(f"/{box.name}/") for alias in aliases):
            yield f"{name} (linked)"


def interruption(box: Box, around: Neighbours, gap_s: int) -> Factor:
    """Judge what is interrupted while it is away for about `gap_s` seconds."""
    if failing := box.failing:
        return Factor(1, f"{failing}: little is left to interrupt")
    if around.twins:
        level = 2 if gap_s <= SHORT_GAP else 3
        return Factor(level, f"away for up to about {gap_s} s; {around.twins[0]}, a healthy twin, serves")
    return Factor(3, f"the sole healthy replica is away for up to about {gap_s} s")


def blast_radius(around: Neighbours, box: Box) -> Factor:
    """One container while others of its service serve; else the service and whoever talks to it."""
    if around.twins:
        return Factor(1, "one container of several")
    who = ", ".join(around.dependants[:3])
    return Factor(2, f"{line(box.service, 60) or box.shown} and its direct clients" + (f": {who}" if who else ""))


def verifiability(box: Box) -> Factor:
    """A health check tells directly; else only whether it runs can be seen."""
    if box.has_health:
        return Factor(0, "its own health check tells, and whether it stays up")
    return Factor(2, "it has no health check: only whether it stays up can be seen")
