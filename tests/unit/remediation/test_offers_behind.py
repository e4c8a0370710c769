"""What has no repair of its own is offered those of what it belongs to."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from debugtui.config.ask import NobodyToAsk
from debugtui.config.models import Config, HostConfig
from debugtui.hosts.local import LocalLink
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, SourceStatus
from debugtui.model.target import Target
from debugtui.remediation.base import Offer
from debugtui.remediation.desk import Desk
from tests.unit.fakes import system_reading

AT = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
VIEW = FleetView(
    AT,
    (
        HostView(
            "elm",
            "local",
            LinkStatus(LinkState.UP),
            (
                SourceStatus("elm", "system", Kind.SYSTEM, Freshness.LIVE, reading=system_reading()),
                SourceStatus(
                    "elm", "ledger", Kind.POSTGRES, Freshness.LIVE,
                    reading=PostgresReading(AT, "ledger", "15", 150018, "monitor", False, None, 3, 100, 3),
                ),
            ),
        ),
    ),
)  # fmt: skip


def offers(target: str) -> tuple[Offer, ...]:
    async def nothing(_: str) -> FleetView:
        return VIEW

    config = Config(hosts=(HostConfig(name="elm", address="local"),))
    return Desk(config, NobodyToAsk(), LocalLink, nothing, state=Path("/nonexistent")).offers(VIEW, Target.parse(target))


def test_an_alert_about_backups_offers_to_make_one() -> None:
    found = {(offer.remediation, str(offer.target)) for offer in offers("elm/backup/ledger") if offer.applies}
    assert ("postgres.backup", "elm/postgres/ledger") in found


def test_an_alert_about_the_journal_offers_what_its_host_offers() -> None:
    assert offers("elm/journal") == offers("elm/system")
    assert offers("elm/journal") != ()
