"""What can lead to what, as data: by the kind of trouble, by the answer of a web server, and for causes by their rules."""

from __future__ import annotations

from datetime import datetime, timedelta

from debugtui.diagnosis.anomaly import MONITORS, ROUTE, Anomaly, Aspect, Role
from debugtui.diagnosis.reach import Relation
from debugtui.model.source import Kind

_A = Aspect

#: Kind of trouble: the kinds of trouble that can lead to it.
LEADS: dict[Aspect, frozenset[Aspect]] = {
    _A.DOWN: frozenset({_A.DOWN, _A.RESOURCE, _A.CONFIG, _A.ACCESS, _A.ERRORS}),
    _A.ERRORS: frozenset({_A.DOWN, _A.ERRORS, _A.SLOW, _A.RESOURCE, _A.BLOCKED, _A.CONFIG, _A.ACCESS}),
    _A.SLOW: frozenset({_A.SLOW, _A.BLOCKED, _A.RESOURCE, _A.DOWN, _A.CONFIG}),
    _A.RESOURCE: frozenset({_A.RESOURCE, _A.BLOCKED, _A.SLOW}),
    _A.CONTENT: frozenset({_A.CONFIG, _A.CONTENT, _A.ERRORS, _A.DOWN}),
    _A.ACCESS: frozenset({_A.ACCESS, _A.CONFIG}),
    _A.CONFIG: frozenset({_A.CONFIG}),
    _A.BLOCKED: frozenset(),
}

#: An answer of a web server: what is at work behind it. Where nothing says that one thing rests on the other, only this counts.
ANSWERS: dict[str, frozenset[Aspect]] = {
    "401": frozenset({_A.ACCESS, _A.CONFIG}),
    "403": frozenset({_A.CONFIG, _A.CONTENT}),
    "404": frozenset({_A.CONFIG, _A.CONTENT}),
    "410": frozenset({_A.CONFIG, _A.CONTENT}),
    "429": frozenset({_A.RESOURCE, _A.CONFIG}),
    "500": frozenset({_A.DOWN, _A.ERRORS, _A.RESOURCE, _A.BLOCKED, _A.CONFIG, _A.ACCESS}),
    "502": frozenset({_A.DOWN, _A.CONFIG, _A.RESOURCE, _A.ERRORS}),
    "503": frozenset({_A.DOWN, _A.RESOURCE, _A.ERRORS, _A.BLOCKED, _A.CONFIG, _A.ACCESS}),
    "504": frozenset({_A.SLOW, _A.BLOCKED, _A.RESOURCE, _A.DOWN}),
}

#: The same for a probe without an answer.
FAULTS: dict[str, frozenset[Aspect]] = {
    "refused": frozenset({_A.DOWN, _A.CONFIG, _A.RESOURCE}),
    "reset": frozenset({_A.DOWN, _A.CONFIG, _A.RESOURCE, _A.ERRORS}),
    "unreachable": frozenset({_A.DOWN, _A.CONFIG}),
    "dns": frozenset({_A.CONFIG}),
    "tls": frozenset({_A.ACCESS, _A.CONFIG}),
    "timeout": frozenset({_A.SLOW, _A.BLOCKED, _A.RESOURCE, _A.DOWN}),
    "protocol": frozenset({_A.CONFIG, _A.DOWN}),
    "redirects": frozenset({_A.CONFIG, _A.CONTENT}),
}

#: A probe that was not even let in: only who listens there is at fault, or what that lives in.
AT_THE_DOOR = frozenset({"refused", "unreachable"})
_LISTENS = frozenset({Kind.NGINX, Kind.DOCKER, Kind.LIBVIRT, Kind.SYSTEM})

#: Answers that are never the fault of something below that is down or slow, whatever rests on what.
_ABOUT_CONTENT = frozenset({"403", "404", "410"})

#: What only goes along with other things: it never explains one.
COMPANIONS = frozenset(
    {
        "unseen", "web_flapping", "web_p95", "lcp", "tti", "request_slow", "console_error", "front_contradiction", "nginx_5xx",
        "nginx_slow", "nginx_log", "groq_budget_spent", "tls_no_renewal", "pending_restart", "container_starting",
        "js_rejection", "log_errors", "prometheus_alert", "alertmanager_alert", "grafana_alert", "backup_missing", "backup_old",
        "backup_incomplete", "backup_small",
    }
)  # fmt: skip

#: Faults that nobody feels before it is too late: no page fails because the WAL is not archived.
_UNFELT = frozenset({"archiver", "index_invalid"})

#: What ended longer ago than this is not guessed to be what is missed now.
LATELY = timedelta(minutes=15)

_STORAGE = frozenset({"disk", "inodes", "pool_full", "pool_inactive"})
_LOCKS = frozenset({"lock_chain", "lock_wait", "commits_wait", "prepared_transaction"})
_ENDED = frozenset({"crash_loop", "container_crashed", "container_exited", "container_failed_start", "unhealthy"})
#: What makes things slow, and neither ends them nor turns connections away.
_BUSY = frozenset({"cpu", "overload"})
#: What an nginx says of what stands behind it: it listens all the same.
_PASSED_ON = frozenset({"nginx_upstream", "nginx_passing"})
#: Facts of a database that stand by themselves.
_OWN = frozenset({"table_bloated", "index_missing", "setting_harmful"})

#: What databases and units feel of something else, though it is no fault of theirs.
_SLOWED = frozenset({"statement_slow", "query_slow", "query_running", "long_query", "log_errors", "redis_loading"})

#: What statements took since their statistics began.
_ON_AVERAGE = frozenset({"query_slow", "statement_slow"})
#: What runs, and is asked in vain: only what explains nothing else is at fault itself.
_SERVES_BADLY = frozenset({"silent", "failing"})

#: Kinds that serve others and can be what a container or a route waits for.
_SERVERS = frozenset({Kind.POSTGRES, Kind.REDIS, Kind.RABBITMQ, Kind.GROQ, Kind.DOCKER, Kind.LIBVIRT})
#: What users see, or what stands right before it.
_FRONT = ROUTE | {Kind.NGINX}


def fits(below: Anomaly, above: Anomaly, relation: Relation) -> bool:
    """Whether one anomaly can lead to another, given how the things hang together."""
    if below.rule in COMPANIONS or below.rule in _UNFELT or (above.role is Role.SUPPORT and not _felt(above)):
        return False
    if below.rule == "container_remade" and not _since_then(below, above):
        return False
    quiet = below.role is Role.SUPPORT and below.rule != "container_remade"
    if quiet and relation < Relation.HOST and not (_stopped(below) or _hampers(below, above)):
        return False
    if above.role is Role.CAUSE:
        return _cause(below, above, relation)
    if quiet and below.aspect is Aspect.SLOW and below.rule != "silent" and above.fact("status") in ("500", "502"):
        return False  # who waits for what is slow answers late, and not at once with an error
    waits = above.fact("status") == "504" or above.fact("fault") or above.rule in ("silent", "nginx_passing")
    if below.rule in _ON_AVERAGE and waits:
        return False  # what takes long on average, since who knows when, keeps nobody from an answer now
    if below.rule == "index_missing" and quiet and above.aspect is not Aspect.SLOW:
        return False  # tables that are read whole, in no known time, make nothing fail
    if below.aspect not in LEADS[above.aspect] or (below.rule in _BUSY and not _feels_busy(below, above)):
        return False
    return _answer(below, above, relation) and _near(below, above, relation)


def _missed(below: Anomaly, above: Anomaly) -> bool:
    """Whether what does not run may be what is missed now: it ended lately, was no job that is done, and nobody is there."""
    if below.fact("done"):
        return False
    if above.rule == "silent" or above.fact("status") == "504" or above.fact("fault") == "timeout":
        return False  # somebody listens, and takes long: what does not run any more refuses at once
    return below.since is not None and above.at - below.since < LATELY


def _feels_busy(below: Anomaly, above: Anomaly) -> bool:
    """Whether it may be a busy host that is felt: an answer that comes late; or not in time, where no neighbour is quick."""
    never = above.fact("fault") == "timeout" or above.fact("status") in ("503", "504") or above.rule == "silent"
    if never and below.role is Role.SUPPORT and below.fact("quick"):
        return False
    return above.aspect is Aspect.SLOW or never


def _stopped(below: Anomaly) -> bool:
    return below.rule in ("container_not_running", "container_removed", "vm_stopped")


def _felt(above: Anomaly) -> bool:
    """Whether something that is no fault by itself is at least felt: what somebody stopped on purpose suffers from nothing."""
    if above.rule == "unseen":
        return False
    return above.target.kind in _FRONT or above.target.kind in MONITORS or above.rule in (*_SLOWED, *_SERVES_BADLY)


def _since_then(below: Anomaly, above: Anomaly) -> bool:
    """Whether a container that was made anew may be what a proxy misses: its own files were not changed after that."""
    if above.aspect is Aspect.SLOW or above.fact("status") == "504" or above.fact("fault") == "timeout":
        return False  # somebody is there, and takes long
    if below.fact("listens") and (above.aspect is Aspect.DOWN or above.fact("status") == "502"):
        return False  # where it listens is known, and compared with where it is looked for (own/moved.py)
    changed = above.fact("changed")
    if above.target.kind not in _FRONT or below.since is None:
        return False
    return not changed or datetime.fromisoformat(changed) < below.since


def _hampers(below: Anomaly, above: Anomaly) -> bool:
    """Whether a lasting fact of a database may be why something on its host is slow, though no edge says so."""
    return below.rule in ("index_missing", "setting_harmful") and above.aspect is Aspect.SLOW


def _answer(below: Anomaly, above: Anomaly, relation: Relation) -> bool:
    """Whether what was answered, or not, is what this trouble looks like."""
    status, fault = above.fact("status"), above.fact("fault")
    if status in _ABOUT_CONTENT:
        return below.aspect in ANSWERS[status]
    if fault in ("tls", "dns"):
        return below.aspect in FAULTS[fault]
    if fault in AT_THE_DOOR and (below.target.kind not in _LISTENS or below.rule in _PASSED_ON):
        return False
    if below.rule == "nginx_passing" and above.target.kind in ROUTE and above.aspect is not Aspect.SLOW:
        return status == ("504" if below.aspect is Aspect.SLOW else "502")
    if relation >= Relation.INFERRED:
        return True
    known = ANSWERS.get(status) or FAULTS.get(fault)
    return known is None or below.aspect in known


def _near(below: Anomaly, above: Anomaly, relation: Relation) -> bool:
    """Whether the relation is strong enough for these two."""
    if relation is Relation.GUESS:
        if above.aspect is Aspect.CONTENT or (_stopped(below) and not _missed(below, above)):
            return False
        waits = above.target.kind in _FRONT or above.rule in _SERVES_BADLY
        return waits and below.target.kind in _SERVERS | {Kind.NGINX}
    if relation is Relation.HOST:
        return below.aspect in (Aspect.RESOURCE, Aspect.DOWN) and below.rule != "unit_failed"
    if relation is Relation.SAME:
        return _same(below, above)
    return True


def _same(below: Anomaly, above: Anomaly) -> bool:
    """Of two anomalies of one thing: the one that is at fault by itself explains the one that is felt."""
    if above.rule in _OWN:
        return False
    if below.role is Role.CAUSE:
        return below.target.kind != Kind.POSTGRES or below.aspect in (Aspect.BLOCKED, Aspect.RESOURCE) or below.rule in _OWN
    if below.rule == "nginx_upstream":
        return above.target.kind in ROUTE or above.rule in ("nginx_5xx", "nginx_passing")
    return above.target.kind == Kind.CHROME and below.target.kind in (Kind.WEB, Kind.TLS) and below.role is Role.SYMPTOM


def _cause(below: Anomaly, above: Anomaly, relation: Relation) -> bool:
    """Whether something that is at fault by itself is explained by something else after all."""
    if below.role is Role.SUPPORT:
        missed = above.rule.startswith("lost_") or above.target.kind in MONITORS
        return relation >= Relation.EDGE and _stopped(below) and missed
    if above.rule in ("vm_io_error", "pool_full", "pool_inactive"):
        return below.rule in _STORAGE and relation is Relation.EDGE
    if above.rule in ("connections", "lost_full"):
        return below.rule in _LOCKS and relation is Relation.SAME and above.fact("waiting") != ""
    if above.rule in ("idle_in_transaction", "prepared_transaction"):
        return below.rule in ("lock_chain", "lock_wait") and below.target == above.target
    if above.rule == "oom_killed":
        return below.rule == "memory_exhausted" and not above.fact("limit")
    if above.rule in _ENDED:
        return _ended(below, above, relation)
    if above.rule.startswith("lost_") or above.target.kind in MONITORS:
        return _lost(below, above, relation)
    return False


def _ended(below: Anomaly, above: Anomaly, relation: Relation) -> bool:
    """A container that ends is explained by what its own log names, or by what it certainly rests on and that is down."""
    if above.fact("oom"):
        return False
    if relation is Relation.CLUE:
        return below.aspect in LEADS[Aspect.ERRORS]
    if below.target.kind == Kind.SYSTEM:
        return False
    return relation is Relation.EDGE and below.aspect is Aspect.DOWN and below.target != above.target


def _lost(below: Anomaly, above: Anomaly, relation: Relation) -> bool:
    """A server that cannot be reached is explained by the container, the VM or the store that it lives in."""
    if relation is Relation.CLUE:
        return True
    lives = (Kind.DOCKER, Kind.LIBVIRT, Kind.SYSTEM)
    if relation is Relation.GUESS and below.target.kind == Kind.DOCKER:
        return below.aspect is Aspect.DOWN and above.target.kind in below.fact("image").lower()
    if relation < Relation.INFERRED or below.target.kind not in (*lives, *_FRONT, Kind.POSTGRES, *MONITORS):
        return False
    return below.aspect in (Aspect.DOWN, Aspect.RESOURCE, Aspect.CONFIG, Aspect.ERRORS) and below.rule != "container_memory"
