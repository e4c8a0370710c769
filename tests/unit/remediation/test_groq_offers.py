"""What a row of the Groq pane offers, what the configuration says against it, and which host a use's repairs belong to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from debugtui.config.ask import NobodyToAsk
from debugtui.config.models import Config, GroqAppConfig, GroqConfig, HostConfig, SecretRef
from debugtui.hosts.local import LocalLink
from debugtui.model.groq import GroqCall, GroqFault, GroqReading, PassiveFigures
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, SourceStatus
from debugtui.model.target import Target
from debugtui.remediation import registry
from debugtui.remediation.base import Offer, PlanError
from debugtui.remediation.desk import Desk
from debugtui.remediation.place import host_of, hosts_of

AT = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
WELL = GroqReading(AT, "https://api.groq.com", "models", newest=GroqCall(AT))
TARGET = Target.parse("groq/coach-ai")
APP = GroqAppConfig(container="kvm-01/docker/coach")
USE = GroqConfig(name="coach-ai", app=APP, next_key=SecretRef(env="NEW"))


def view(reading: GroqReading | None) -> FleetView:
    status = SourceStatus("groq", "coach-ai", Kind.GROQ, Freshness.LIVE, reading=reading)
    return FleetView(AT, (HostView("groq", "", LinkStatus(LinkState.UP), (status,)),))


def offers(reading: GroqReading | None, use: GroqConfig = USE) -> tuple[Offer, ...]:
    config = Config(hosts=(HostConfig(name="kvm-01", address="local"),), groq=(use,))

    async def nothing(_: str) -> FleetView:
        return view(reading)

    desk = Desk(config, NobodyToAsk(), LocalLink, nothing, state=Path("/nonexistent"))
    return desk.offers(view(reading), TARGET)


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (GroqFault.RATE_LIMITED, "limit_concurrency"),
        (GroqFault.AUTHENTICATION, "rotate_key"),
        (GroqFault.PERMISSION, "rotate_key"),
        (GroqFault.TIMEOUT, "set_timeouts"),
        (GroqFault.NO_MODEL, "switch_model"),
        (GroqFault.CAPACITY, "switch_model"),
    ],
)
def test_each_fault_has_its_usual_way_out_first(fault: GroqFault, name: str) -> None:
    by_probe = replace(WELL, newest=GroqCall(AT, fault))
    by_log = replace(WELL, passive=(PassiveFigures("log of kvm-01/docker/coach", 10, {fault: 3}),))
    for reading in (by_probe, by_log):
        first = offers(reading)[0]
        assert (first.remediation, first.applies, first.rank) == (f"groq.{name}", True, 0)
        assert fault.value in first.why


def test_a_model_that_is_not_listed_is_switched_and_calm_offers_nothing_first() -> None:
    assert offers(replace(WELL, model_listed=False))[0].remediation == "groq.switch_model"
    assert {offer.rank for offer in offers(WELL)} == {60}
    assert offers(None) == ()


def test_what_is_not_configured_does_not_apply() -> None:
    refused = replace(WELL, newest=GroqCall(AT, GroqFault.AUTHENTICATION))
    found = {offer.remediation: offer for offer in offers(refused, USE.model_copy(update={"next_key": None}))}
    assert not found["groq.rotate_key"].applies
    assert "next_key" in found["groq.rotate_key"].why
    assert found["groq.set_timeouts"].applies
    assert not any(offer.applies for offer in offers(refused, USE.model_copy(update={"app": None})))


def test_other_rows_are_offered_nothing_of_it() -> None:
    for entry in registry.everything("groq"):
        assert entry.offer(view(WELL), Target("kvm-01", "docker", "coach")) is None
        assert entry.spec.layer == "groq"


def test_a_use_belongs_to_the_host_of_its_application() -> None:
    file = GroqAppConfig(host="kvm-02", file="/etc/coach.env")
    uses = (
        USE,
        GroqConfig(name="file", app=file, via="kvm-03"),
        GroqConfig(name="none"),
        GroqConfig(name="odd", app=GroqAppConfig(container="kvm-01/system/coach")),
    )
    hosts = tuple(HostConfig(name=f"kvm-0{number}", address="local") for number in (1, 2, 3))
    config = Config(hosts=hosts, groq=uses)
    assert host_of(config, Target("kvm-02", "docker", "x")) == "kvm-02"
    assert hosts_of(config, Target("kvm-02", "docker", "x")) == ("kvm-02",)
    assert host_of(config, TARGET) == "kvm-01"
    assert hosts_of(config, Target.parse("groq/file")) == ("kvm-02", "kvm-03")
    for name, says in (("none", "app in"), ("odd", "names no container"), ("else", "coach-ai, file")):
        with pytest.raises(PlanError, match=says):
            host_of(config, Target.parse(f"groq/{name}"))
