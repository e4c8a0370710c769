"""What the repairs of the uses of the Groq API share: the reading on the screen, fingerprints, where settings live."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from debugtui.model.groq import GroqFault, GroqReading
from debugtui.model.plan import DiffPart, Guard, Mitigation
from debugtui.model.source import FleetView
from debugtui.model.target import GROQ, Target
from debugtui.remediation.base import Draft, Job, LiveCheck, LiveStep
from debugtui.remediation.catalogue.docker.environment import GROQ_KEY, is_reference
from debugtui.remediation.eyes import Eyes

#: Signs of a fingerprint: enough to tell two keys apart, too few to find one (32 of some 300 bits).
FINGERPRINT = 8

#: What a key may be made of: printable ASCII that neither a shell nor an environment file reads as anything else.
_KEY = re.compile(r"[A-Za-z0-9._~+/=:@%,^-]{8,512}")


def fingerprint(secret: str) -> str:
    """Return the first signs of a secret's SHA-256: what a plan shows of it."""
    return hashlib.sha256("".join(secret).encode("utf-8", "surrogatepass")).hexdigest()[:FINGERPRINT]


def fit_for_a_key(secret: str) -> bool:
    """Return whether a text can be sent as a key: no blanks, no line ends, nothing that a file would read otherwise."""
    return _KEY.fullmatch("".join(secret)) is not None


def reading_of(view: FleetView, name: str) -> GroqReading | None:
    """Return what is known of one use of the API; None where it is not watched."""
    for host in view.hosts:
        for status in host.sources:
            if isinstance(status.reading, GroqReading) and status.name == name:
                return status.reading
    return None


def faults_of(reading: GroqReading) -> dict[GroqFault, int]:
    """Return what fails now, with how often: by the newest probe, and by what the application says of its own calls."""
    found: dict[GroqFault, int] = {}
    for passive in reading.passive:
        for fault, count in passive.by_class.items():
            if count:
                found[fault] = found.get(fault, 0) + count
    if reading.newest is not None and reading.newest.fault is not None:
        found[reading.newest.fault] = found.get(reading.newest.fault, 0) + 1
    if reading.model_listed is False:
        found[GroqFault.NO_MODEL] = found.get(GroqFault.NO_MODEL, 0) + 1
    return found


@dataclass(frozen=True, slots=True)
class Wish:
    """What a repair wants of the application's settings, and why.

    Attributes:
        changes: variables and their new values; a key is a reference, never itself.
        problem, solution: see `Draft`.
        diff, guards, irreversible, mitigations: as in `Draft`, before those of the place where the settings live.
        data: more of it, plain JSON.
        stop: see `Draft`.
    """

    changes: Mapping[str, str]
    problem: str
    solution: str
    diff: tuple[DiffPart, ...] = ()
    guards: tuple[Guard, ...] = ()
    irreversible: tuple[str, ...] = ()
    mitigations: tuple[Mitigation, ...] = ()
    data: Mapping[str, object] = field(default_factory=dict)


class App(ABC):
    """Where an application keeps its settings, as it was read just now. `values` holds its variables, secrets included."""

    kind: str

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)

    @property
    @abstractmethod
    def shown(self) -> str:
        """The place, to show."""

    @property
    @abstractmethod
    def changed(self) -> Target:
        """What is changed: whoever repairs the same has to wait."""

    @abstractmethod
    async def draft(self, eyes: Eyes, changes: Mapping[str, str]) -> Draft:
        """Draft the change of some variables.

        Raises:
            PlanError, SourceError, LinkError: see `Remediation.draft`.
        """


class Place(ABC):
    """The steps and checks at such a place, out of the plan's own words."""

    def __init__(self, job: Job) -> None:
        self.job = job

    @property
    def expected(self) -> dict[str, str]:
        """The changed variables: the value, or the fingerprint of a key."""
        table = self.job.data["in_force"]
        return {str(name): str(value) for name, value in table.items()} if isinstance(table, dict) else {}

    @abstractmethod
    def steps(self) -> tuple[LiveStep, ...]:
        """Return the steps; the first one is where something is changed first."""

    @abstractmethod
    def undo(self) -> tuple[LiveStep, ...]:
        """Return the rollback."""

    @abstractmethod
    def checks(self) -> tuple[LiveCheck, ...]:
        """Return the checks that the variables are in force, and that the application runs with them."""

    @abstractmethod
    def undo_checks(self) -> tuple[LiveCheck, ...]:
        """Return the checks of the rollback."""

    @abstractmethod
    async def undo_guards(self, eyes: Eyes) -> tuple[Guard, ...]:
        """Return what must be true before a rollback on demand."""

    @abstractmethod
    async def log_lines(self, eyes: Eyes) -> tuple[list[str], list[str]] | None:
        """Return the application's log from before and from after the change, as it is: to be counted, never shown.

        None where it has none that can be read.

        Raises:
            SourceError, LinkError: it could not be read just now.
        """

    def wrong(self, values: Mapping[str, str]) -> str:
        """Return which variable is not as it should be, without its value; empty: none."""
        secret = self.job.data.get("secret")
        for name, wanted in self.expected.items():
            now = values.get(name)
            if now is None:
                return f"{name} is not set"
            if (fingerprint(now) if name == secret else now) != wanted:
                return f"{name} has another value"
        return ""


def in_force(changes: Mapping[str, str], mark: str) -> dict[str, str]:
    """Return what the changed variables have to be: their value, or the key's fingerprint `mark`."""
    return {name: mark if is_reference(value) else value for name, value in changes.items()}


def key_reference(name: str) -> str:
    """Return what stands in a plan for the new key of a use."""
    return f"{GROQ_KEY}{name}/next_key"


def groq_target(name: str) -> Target:
    """Return the target of a use."""
    return Target(GROQ, GROQ, name)
