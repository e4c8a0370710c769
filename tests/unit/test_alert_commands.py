"""`debugtui alerts`, and `check` run again and again as cron does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from debugtui.__main__ import cli
from debugtui.fleet.fleet import Fleet, HostParts
from debugtui.headless import alert_commands, check
from debugtui.model.source import LinkState, Problem
from debugtui.sources.base import SourceError
from debugtui.storage.audit import AuditLog
from tests.unit.fakes import FakeClock, FakeLink, FakeSource, filesystem, system_reading

CONFIG = '[[hosts]]\nname = "kvm-01"\naddress = "local"\nlibvirt = false\ndocker = false\n'


class Cron:
    """A machine on which `debugtui` is called, each time as a process of its own; time is moved by hand."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock, self.source, self.link = FakeClock(), FakeSource(), FakeLink()
        self.config = folder / "config.toml"
        self.state = folder / "state" / "debugtui"
        self.config.write_text(CONFIG, encoding="utf-8")
        monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
        monkeypatch.setattr(check, "build_fleet", self._fleet)
        monkeypatch.setattr(check, "RATE_GAP", 0.0)
        for module in (check, alert_commands):
            monkeypatch.setattr(module, "SystemClock", lambda: self.clock)
        monkeypatch.setattr("debugtui.alerts.book.boot_id", lambda: "this boot")

    def _fleet(self, *_: object, **__: object) -> Fleet:
        return Fleet([HostParts(self.link, [(self.source, True)])], clock=self.clock)

    def figures(self, **figures: object) -> None:
        self.source.answer = system_reading(**figures)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["--config", str(self.config), *arguments], prog_name="debugtui")

    def check(self, *arguments: str) -> dict:
        done = self.run("check", "--json", *arguments)
        assert not done.stderr
        return {**json.loads(done.stdout), "code": done.exit_code}

    def rules(self, *arguments: str) -> list[str]:
        return [alert["rule"] for alert in self.check(*arguments)["alerts"]]


@pytest.fixture
def cron(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cron:
    return Cron(tmp_path, monkeypatch)


def test_check_every_minute_raises_a_duration_rule_after_its_time_and_not_before(cron: Cron) -> None:
    cron.figures(cpu_percent=95.0)
    for _ in range(5):
        assert (cron.rules(), cron.check()["code"]) == ([], 0)
        cron.clock.move(60)
    found = cron.check()
    assert (found["status"], found["code"]) == ("warning", 1)
    (alert,) = found["alerts"]
    assert list(alert) == ["severity", "rule", "target", "since", "value", "threshold", "message"]
    assert (alert["rule"], alert["since"], alert["value"], alert["threshold"]) == (
        "cpu",
        "2026-03-14T09:26:53.000Z",
        95.0,
        70.0,
    )


def test_a_calm_minute_in_between_begins_the_duration_anew(cron: Cron) -> None:
    for minute in range(10):
        cron.figures(cpu_percent=20.0 if minute == 4 else 95.0)
        assert cron.rules() == []
        cron.clock.move(60)
    assert cron.rules() == ["cpu"]


def test_the_configuration_decides_how_long(cron: Cron) -> None:
    cron.config.write_text(f'{CONFIG}[alerts.rules.cpu]\nfor = "2m"\nthreshold = 30\n', encoding="utf-8")
    cron.figures(cpu_percent=40.0)
    assert cron.rules() == []
    cron.clock.move(120)
    assert cron.rules() == ["cpu"]


def test_hysteresis_holds_from_one_check_to_the_next(cron: Cron) -> None:
    found = []
    for percent in (89, 91, 89, 88, 89):
        cron.figures(filesystems=(filesystem(percent),))
        found.append(cron.rules())
        cron.clock.move(60)
    assert found == [[], ["disk"], ["disk"], [], []]


def test_what_cannot_be_read_is_remembered_as_unknown_and_never_makes_check_critical(cron: Cron) -> None:
    cron.figures(filesystems=(filesystem(99),))
    assert cron.check()["code"] == 2
    cron.clock.move(60)
    cron.link.become(LinkState.LOST, Problem("kvm-01 does not answer"), cron.clock.now())
    cron.source.answer = SourceError(Problem("no link"))
    found = cron.check()
    assert (found["status"], [alert["rule"] for alert in found["alerts"]]) == ("unknown", ["disk", "link_lost"])
    assert found["alerts"][0]["unknown_since"] == "2026-03-14T09:26:53.000Z"
    assert "unknown_since" not in found["alerts"][1]


def test_a_check_of_something_else_neither_tells_nor_forgets(cron: Cron) -> None:
    cron.figures(filesystems=(filesystem(95),))
    assert cron.rules() == ["disk"]
    assert cron.run("check", "--source", "docker").exit_code == 3
    assert json.loads(cron.run("alerts", "--json").stdout)["alerts"][0]["rule"] == "disk"


def test_check_goes_on_without_a_memory_and_says_so(cron: Cron) -> None:
    cron.figures(filesystems=(filesystem(95),))
    (cron.state / "alerts.db").mkdir(parents=True)
    done = cron.run("check", "--json")
    assert done.exit_code == 1
    assert "alerts are not remembered" in done.stderr
    assert [alert["rule"] for alert in json.loads(done.stdout)["alerts"]] == ["disk"]


# What operators say, from the command line


def test_an_acknowledged_alert_is_marked_and_still_counts(cron: Cron) -> None:
    cron.figures(filesystems=(filesystem(95),))
    cron.check()
    cron.clock.move(5)
    done = cron.run("alerts", "ack", "disk", "kvm-01/system//", "--note", "making room", "--operator", "Ada")
    assert done.exit_code == 0, done.output
    found = cron.check()
    assert found["code"] == 1
    said = found["alerts"][0]["acknowledged"]
    assert (said["note"], said["severity"], said["at"]) == ("making room", "high", "2026-03-14T09:26:58.000Z")
    assert said["who"].startswith("Ada (")
    assert "acknowledged by Ada" in cron.run("check").stdout
    cron.figures(filesystems=(filesystem(98),))
    assert "acknowledged" not in cron.check()["alerts"][0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ack", "disk", "kvm-01/system/", "--note", "x"), "did you mean disk kvm-01/system//?"),
        (("ack", "disk", "kvm-01/system//", "--note", " "), "takes a note"),
        (("ack", "disk", "kvm-01/system//"), "--note"),
        (("silence", "dsik", "*", "--for", "2h", "--reason", "x"), "there is no rule dsik; did you mean disk?"),
        (("silence", "disk", "*", "--for", "soon", "--reason", "x"), "--for is a duration"),
        (("silence", "disk", "*", "--for", "31d", "--reason", "x"), "at most 30 days"),
        (("silence", "disk", "*", "--for", "0s", "--reason", "x"), "longer than nothing"),
        (("silence", "disk", "*", "--for", "2h", "--reason", " "), "takes a reason"),
        (("silence", "disk", "*", "--for", "2h"), "--reason"),
        (("silence", "disk", "*", "--reason", "x"), "--for"),
        (("silence", "disk", "kvm-01", "--for", "2h", "--reason", "x"), "a pattern holds a *"),
        (("unsilence", "sil_nope"), "no silence sil_nope holds (there are none)"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_nearest_word(cron: Cron, arguments: tuple[str, ...], says: str) -> None:
    cron.figures(filesystems=(filesystem(95),))
    cron.check()
    done = cron.run("alerts", *arguments)
    assert done.exit_code == 2
    assert says in " ".join(done.stderr.split())
    assert not (cron.state / "audit.jsonl").exists()


def test_a_silenced_alert_is_counted_and_does_not_make_check_warn(cron: Cron) -> None:
    cron.figures(filesystems=(filesystem(95),))
    cron.check()
    made = cron.run("alerts", "silence", "disk", "kvm-*/system/*", "--for", "2h", "--reason", "moving", "--json")
    number = json.loads(made.stdout)["silence"]["id"]
    found = cron.check()
    assert (found["code"], found["alerts"][0]["silenced_until"]) == (0, "2026-03-14T11:26:53.000Z")
    text = cron.run("check").stdout
    assert "DEBUGTUI OK: 1 hosts, 0 alerts, 1 silenced" in text
    assert "silenced until 2026-03-14 11:26 UTC: moving" in text
    listed = json.loads(cron.run("alerts", "--json").stdout)
    assert (listed["alerts"][0]["silence"], listed["silences"][0]["reason"]) == (number, "moving")
    assert cron.run("alerts", "unsilence", number).exit_code == 0
    assert cron.check()["code"] == 1
    events = [entry.event for entry in AuditLog(cron.state / "audit.jsonl").entries()]
    assert events == ["alert-silenced", "alert-unsilenced"]


def test_a_silence_ends_by_itself(cron: Cron) -> None:
    cron.figures(filesystems=(filesystem(95),))
    assert cron.run("alerts", "silence", "*", "kvm-01/*", "--for", "1h", "--reason", "x").exit_code == 0
    assert cron.check()["code"] == 0
    cron.clock.move(3_600)
    assert cron.check()["code"] == 1


def test_the_list_is_what_was_seen_last_and_what_ended(cron: Cron) -> None:
    assert cron.run("alerts").stdout == "no alerts are remembered\n"
    cron.figures(filesystems=(filesystem(95), filesystem(99, "/var")))
    cron.check()
    cron.clock.move(120)
    text = cron.run("alerts").stdout.splitlines()
    assert text[0].startswith("critical  disk  kvm-01/system//var  /var 99 % of space used  [seen 2 m ago]")
    assert len(text) == 2
    document = json.loads(cron.run("alerts", "--json").stdout)
    assert list(document) == ["version", "taken_at", "alerts", "silences", "recent"]
    assert list(document["alerts"][0]) == [
        "severity", "rule", "target", "since", "value", "threshold", "message", "acknowledged", "silenced_until", "silence",
        "opened_at", "seen_at", "worst", "rule_description", "trail",
    ]  # fmt: skip
    assert document["alerts"][0]["rule_description"] == "A filesystem is nearly full."
    cron.figures()
    cron.check()
    document = json.loads(cron.run("alerts", "--json").stdout)
    assert (document["alerts"], len(document["recent"])) == ([], 2)


def test_the_rules_are_listed_as_the_configuration_has_them(cron: Cron) -> None:
    own = '[[alerts.own]]\nname = "mine"\nmetric = "system.load"\nabove = 9\n'
    cron.config.write_text(f"{CONFIG}[alerts.rules.cpu]\nthreshold = 80\n{own}", encoding="utf-8")
    found = {rule["name"]: rule for rule in json.loads(cron.run("alerts", "rules", "--json").stdout)["rules"]}
    assert (found["cpu"]["begins"], found["cpu"]["changed"], found["memory"]["changed"]) == ("> 80 %", "changed", "")
    assert found["mine"]["changed"] == "your own"
    assert "> 80 % for 5m" in cron.run("alerts", "rules").stdout
    cron.config.write_text("[alerts.rules.cpuu]\n", encoding="utf-8")
    assert cron.run("alerts", "rules").exit_code == 2


def test_a_memory_that_cannot_be_read_ends_the_command_with_three(cron: Cron) -> None:
    (cron.state / "alerts.db").mkdir(parents=True)
    for arguments in ((), ("unsilence", "x"), ("ack", "disk", "a/system", "--note", "x")):
        done = cron.run("alerts", *arguments)
        assert (done.exit_code, done.stdout) == (3, "")
        assert "memory of alerts" in done.stderr
