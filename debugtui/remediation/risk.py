"""The risk of a plan: a pure function of recorded facts, integers only, unknown = worst. docs/risk.md explains it.

The maximum counts and not the mean, so that one bad factor cannot be averaged away; what is judged is the effect on this target
now, not the name of the action; and no text that a machine under attack, or a language model, wrote has any say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from debugtui.model.plan import FACTORS, Guard, GuardStatus, Risk, RiskClass, RiskVector

#: The letter of each factor on one line.
LETTERS: dict[str, str] = dict(zip(FACTORS, "IRDBLVUC", strict=True))

#: A factor of these at 4 stops, whatever the others say: unbounded, or not known.
_STOPPING = ("interruption", "durable_data", "blocking", "verifiability", "uncertainty", "context")

_HARM = ("interruption", "durable_data", "blocking")

#: What is never executed, whatever the factors say: only a plan that would lower the risk is shown.
STOP_RULES: dict[str, str] = {
    "shrink": "a disk, a volume or a running guest's memory is never made smaller: data is lost, or the guest panics",
    "drop": "databases, tables, volumes and files of a snapshot chain are never dropped or truncated",
    "restore_over_live": "nothing is restored over live data, and no snapshot is reverted",
    "rewrite": "a table that serves is never rewritten (VACUUM FULL, CLUSTER, a change of type)",
    "unqualified_write": "no DELETE or UPDATE without WHERE",
    "service_restart": "what holds state for many (PostgreSQL, dockerd without live-restore, a host) is never restarted here",
    "last_replica": "the last healthy replica is not stopped without a bounded, stated gap",
    "control_path": "nothing that could cut our own way in: sshd, firewall, routes, bridges",
    "protected_process": "what others depend on (init, qemu, postgres, dockerd, libvirtd, sshd) is never ended by signal",
    "two_phase": "a prepared transaction is ended only by its coordinator's decision",
}


def classify(vector: RiskVector) -> RiskClass:
    """Return the class of a vector."""
    if any(getattr(vector, name) == 4 for name in _STOPPING):
        return RiskClass.STOP
    harm = max(vector.interruption, vector.durable_data, vector.blocking)
    # What cannot be undone but hardly harms must not dominate.
    reversibility = min(vector.reversibility, 1 + max(vector.interruption, vector.durable_data))
    raised = (
        (vector.blast_radius >= 3 and harm >= 2)
        + (vector.blast_radius == 4)
        + (vector.verifiability >= 3)
        + (vector.uncertainty >= 2)
        + (vector.context >= 3)
    )
    return RiskClass(min(4, max(1, harm, reversibility) + raised))


def vector_of(levels: Mapping[str, int | None]) -> RiskVector:
    """Return the vector of levels by factor; None, not known, is 4."""
    return RiskVector(**{name: 4 if levels[name] is None else _level(levels[name]) for name in FACTORS})


def _level(value: int | None) -> int:
    if value is None or not 0 <= value <= 4:
        raise ValueError(f"a factor is 0 to 4, not {value!r}")
    return value


def driver_of(vector: RiskVector) -> str:
    """Return the factor that sets the class: the one whose absence would lower it most.

    Of several the highest; of equal ones harm itself (interruption, data, blocking) before what aggravates it.
    """

    def relief(name: str) -> tuple[int, int]:
        return int(classify(replace(vector, **{name: 0}))), -int(getattr(vector, name))

    return min((*_HARM, *(name for name in FACTORS if name not in _HARM)), key=relief)


def assess(factors: Mapping[str, tuple[int | None, str]], *, stop: str = "") -> Risk:
    """Return the risk of factors, each with its level (None: not known) and the fact that sets it.

    Args:
        factors: by name.
        stop: the rule that forbids it whatever the factors say; empty: none does.
    """
    vector = vector_of({name: factors[name][0] for name in FACTORS})
    driver = driver_of(vector)
    why = {name: factors[name][1] if factors[name][0] is not None else f"not known: {factors[name][1]}" for name in FACTORS}
    if stop:
        why[driver] = f"{stop}; {why[driver]}"
    return Risk(RiskClass.STOP if stop else classify(vector), driver, vector, tuple(why[name] for name in FACTORS))


def uncertainty(guards: Sequence[Guard], *, oldest_s: float | None) -> tuple[int, str]:
    """Return the uncertainty factor of guards, and why.

    Args:
        guards: what was measured.
        oldest_s: age of the oldest measurement, in seconds; None: not known.
    """
    unknown = [guard for guard in guards if guard.status is GuardStatus.UNKNOWN]
    critical = [guard.name for guard in unknown if guard.critical]
    if critical:
        return 4, f"not known: {', '.join(critical)}"
    if oldest_s is None or oldest_s >= 300:
        return 3, "what was measured is more than 5 min old"
    if unknown:
        return 2, f"not known, and not critical: {', '.join(guard.name for guard in unknown)}"
    if oldest_s >= 30:
        return 1, "what was measured is more than 30 s old"
    return 0, "everything was measured just now"


def cheaper(risk: Risk) -> tuple[str, int]:
    """Return the factor that, one lower, lowers the class most, and that class; the driver where no single one does."""
    best = (risk.driver, int(risk.cls))
    for name in FACTORS:
        level = getattr(risk.vector, name)
        if level:
            lowered = int(classify(replace(risk.vector, **{name: level - 1})))
            if lowered < best[1]:
                best = (name, lowered)
    return best


def cross_layer(risks: Sequence[Risk]) -> Risk:
    """Return the risk of steps on several layers without a checkpoint between them: the worst, one class higher.

    Raises:
        ValueError: there is no step.
    """
    if not risks:
        raise ValueError("a plan without a step has no risk")
    worst = max(risks, key=lambda risk: (risk.cls, sum(getattr(risk.vector, name) for name in FACTORS)))
    if len(risks) == 1:
        return worst
    return replace(worst, cls=RiskClass(min(4, worst.cls + 1)))


def letters(vector: RiskVector) -> str:
    """Return the vector as `I2 R2 D1 B1 L0 V0 U0 C0`."""
    return " ".join(f"{LETTERS[name]}{getattr(vector, name)}" for name in FACTORS)


def one_line(risk: Risk) -> str:
    """Return `class 2 careful · I2 R2 D1 B1 L0 V0 U0 C0 · driver interruption: stop timeout 10 s, healthy twin`."""
    why = risk.why[FACTORS.index(risk.driver)]
    return f"class {int(risk.cls)} {risk.cls.word} · {letters(risk.vector)} · driver {risk.driver.replace('_', ' ')}: {why}"
