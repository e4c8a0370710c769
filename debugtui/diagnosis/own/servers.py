"""Several databases of one PostgreSQL server: what ails the server is one fault, and what ails one database is that one's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from debugtui.diagnosis.anomaly import Anomaly, source_of
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import FleetView, Kind
from debugtui.model.target import Target

#: PostgreSQL's own port, where no setting names another.
PORT = "5432"

_Readings = dict[Target, PostgresReading]


def with_servers(anomalies: Sequence[Anomaly], view: FleetView) -> tuple[Anomaly, ...]:
    """Return the anomalies; each of a database with its server, and what several databases see of one session only once."""
    readings = _readings(view)
    told = {(source_of(one.target), _who(one)) for one in anomalies if _who(one)}
    found = []
    for one in anomalies:
        if one.target.kind != Kind.POSTGRES:
            found.append(one)
            continue
        at = source_of(one.target)
        home = _home(one, at, readings)
        if home is not None and (home, _who(one)) in told:
            continue  # the database that it is about tells it itself
        server = _server(one, at, readings)
        found.append(replace(one, facts=(*one.facts, ("server", server))) if server else one)
    return tuple(found)


def _readings(view: FleetView) -> _Readings:
    return {
        Target(host.name, Kind.POSTGRES, status.name): status.reading
        for host in view.hosts
        for status in host.of_kind(Kind.POSTGRES)
        if isinstance(status.reading, PostgresReading)
    }


def _who(anomaly: Anomaly) -> str:
    """Return the session or the prepared transaction that an anomaly is about; empty where it is about none."""
    if anomaly.rule == "prepared_transaction":
        return anomaly.target.name.partition("/")[2]
    return anomaly.fact("gid") or anomaly.fact("pid")


def _home(anomaly: Anomaly, at: Target, readings: _Readings) -> Target | None:
    """Return the other watched database of the same server in which a session works; None where it is this one, or none."""
    reading, who = readings.get(at), _who(anomaly)
    if reading is None or reading.started_at is None or not who:
        return None
    names = {one.database for one in reading.sessions if str(one.pid) == who}
    names |= {one.database for one in reading.prepared if one.gid == who}
    if len(names) != 1 or reading.database in names:
        return None
    same = (
        target
        for target, other in readings.items()
        if target.host == at.host and other.started_at == reading.started_at and other.database in names
    )
    return min(same, key=str, default=None)


def _server(anomaly: Anomaly, at: Target, readings: _Readings) -> str:
    """Return what tells servers of one host apart: when one was started; of one that cannot be read, its port."""
    reading = readings.get(at)
    if reading is not None and reading.started_at is not None:
        return f"{at.host} {reading.started_at.isoformat()}"
    port = anomaly.fact("port")
    if anomaly.rule == "lost_full":
        here = {
            other.started_at.isoformat()
            for target, other in readings.items()
            if target.host == at.host and other.started_at is not None and _port(other) == port
        }
        port = here.pop() if len(here) == 1 else port
    return f"{at.host} {port}" if port else ""


def _port(reading: PostgresReading) -> str:
    if reading.settings is None:
        return ""
    return next((one.value for one in reading.settings if one.name == "port"), PORT)
