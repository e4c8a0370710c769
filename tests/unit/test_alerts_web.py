"""Alerts of web addresses and certificates: how bad, and in words that a stranger understands."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.alerts import tls, web
from debugtui.alerts.rules import Finding
from debugtui.model.alerts import Severity
from debugtui.model.target import Target
from debugtui.model.tls import Certificate, DiskCertificate, Renewal, TlsReading
from debugtui.model.web import Match, Timing, WebFault, WebReading
from tests.unit.fakes import START

WEB = Target("kvm-01", "web", "shop")
TLS = Target("kvm-01", "tls", "shop")
URL = "https://shop.example/api/boom?ticket=1"
CERTIFICATE = Certificate(
    subject="shop.example",
    issuer="Some Authority",
    names=("shop.example", "www.shop.example"),
    serial="1",
    not_before=START - timedelta(days=30),
    not_after=START + timedelta(days=60),
    days_left=60.0,
    fingerprint="aa",
    key_type="EC secp256r1",
)
SOUND = TlsReading(
    taken_at=START,
    address="shop.example:443",
    server_name="shop.example",
    served=CERTIFICATE,
    chain=(CERTIFICATE,),
    trusted=True,
    name_matches=True,
)


def of_web(**changes: object) -> dict[str, Finding]:
    values = {"taken_at": START, "url": URL, "status": 200, **changes}
    return {one.rule: one for one in web.findings(WEB, WebReading(**values))}  # type: ignore[arg-type]


def of_tls(**changes: object) -> dict[str, Finding]:
    return {one.rule: one for one in tls.findings(TLS, dataclasses.replace(SOUND, **changes))}


def served(**changes: object) -> Certificate:
    return dataclasses.replace(CERTIFICATE, **changes)  # type: ignore[arg-type]


def status(found: int, wanted: int = 200) -> Match:
    return Match("status", str(wanted), str(found), found == wanted)


@pytest.mark.parametrize("fault", list(WebFault))
def test_every_fault_is_critical_and_named(fault: WebFault) -> None:
    found = of_web(fault=fault, status=None)
    assert set(found) == {"web_down"}
    assert found["web_down"].severity is Severity.CRITICAL
    assert found["web_down"].message.startswith("GET https://shop.example/api/boom: ")
    assert "ticket" not in found["web_down"].message


def test_a_sound_page_raises_nothing() -> None:
    assert of_web(matches=(status(200),), failed_share=0.05, timing=Timing(first_byte_ms=999.0)) == {}


def test_server_errors_are_worse_than_other_statuses() -> None:
    boom = of_web(status=500, matches=(status(500),))["web_status"]
    assert boom.severity is Severity.CRITICAL
    assert boom.message == "GET https://shop.example/api/boom answers 500, not 200"
    lost = of_web(status=404, matches=(status(404),))["web_status"]
    assert (lost.severity, lost.value, lost.threshold) == (Severity.HIGH, 404.0, 200.0)
    assert of_web(status=200, matches=(status(200, 503),))["web_status"].severity is Severity.HIGH


def test_body_and_json() -> None:
    found = of_web(
        matches=(status(200), Match("body", "Welcome", "not in it", False), Match("json checks.db", "ok", "down", False))
    )
    assert found["web_body"].severity is found["web_json"].severity is Severity.HIGH
    assert "'Welcome'" in found["web_body"].message
    assert found["web_json"].message.endswith("checks.db is down, not ok")
    assert found["web_json"].target.name == "shop/checks.db"


def test_slow_and_flapping() -> None:
    slow = of_web(timing=Timing(first_byte_ms=1500.4), first_byte_budget_ms=800.0)["web_slow"]
    assert (slow.severity, slow.threshold) == (Severity.MEDIUM, 800.0)
    assert "first byte after 1500 ms, budget 800 ms" in slow.message
    flapping = of_web(failed_share=0.12)["web_flapping"]
    assert flapping.severity is Severity.MEDIUM
    assert "12 %" in flapping.message
    assert "web_flapping" not in of_web(failed_share=0.5, status=500, matches=(status(500),))


def test_a_sound_certificate_raises_nothing() -> None:
    assert of_tls() == {}
    assert of_tls(trusted=None, name_matches=None) == {}


@pytest.mark.parametrize(
    ("days", "rule", "severity", "words"),
    [
        (-2.5, "tls_expired", Severity.CRITICAL, "has expired 2 days ago"),
        (-0.25, "tls_expired", Severity.CRITICAL, "has expired 6 hours ago"),
        (0.5, "tls_expires", Severity.HIGH, "expires in 12 hours"),
        (1.2, "tls_expires", Severity.HIGH, "expires in 1 day"),
        (6.9, "tls_expires", Severity.HIGH, "expires in 6 days"),
        (7.1, "tls_expires", Severity.MEDIUM, "expires in 7 days"),
        (13.9, "tls_expires", Severity.MEDIUM, "expires in 13 days"),
    ],
)
def test_the_end_comes_nearer(days: float, rule: str, severity: Severity, words: str) -> None:
    found = of_tls(served=served(days_left=days))
    assert set(found) == {rule}
    assert found[rule].severity is severity
    assert found[rule].message == f"the certificate of shop.example {words}"


def test_trust() -> None:
    own = of_tls(served=served(self_signed=True), trusted=False, distrust="self-signed certificate")
    assert own["tls_untrusted"].severity is Severity.HIGH
    assert "self-signed" in own["tls_untrusted"].message
    other = of_tls(trusted=False, distrust="unable to get local issuer certificate")["tls_untrusted"]
    assert "unable to get local issuer" in other.message
    middle = served(subject="Middle CA", days_left=-1.0)
    chain = of_tls(trusted=False, distrust="certificate has expired", chain=(CERTIFICATE, middle))["tls_untrusted"]
    assert chain.message.endswith("Middle CA has expired")
    # One fault, one alert.
    assert set(of_tls(served=served(days_left=-1.0), trusted=False, distrust="certificate has expired")) == {"tls_expired"}


def test_name_key_and_what_is_on_the_disk() -> None:
    name = of_tls(name_matches=False, server_name="other.example")["tls_name"]
    assert name.severity is Severity.HIGH
    assert "not for other.example but for shop.example, www" in name.message
    disk = DiskCertificate("/etc/ssl/shop.pem", served(fingerprint="bb", not_before=START), "/etc/ssl/shop.key", False)
    found = of_tls(disk=disk, same_as_disk=False)
    assert found["tls_key"].message == "/etc/ssl/shop.key is not the key of /etc/ssl/shop.pem"
    assert found["tls_stale"].message == "/etc/ssl/shop.pem: renewed on the disk, the old one is served: reload"
    assert found["tls_key"].severity is found["tls_stale"].severity is Severity.HIGH
    older = dataclasses.replace(disk, certificate=served(fingerprint="bb", not_before=START - timedelta(days=300)))
    assert "another certificate is served" in of_tls(disk=older, same_as_disk=False)["tls_stale"].message
    assert of_tls(disk=dataclasses.replace(disk, key_matches=None), same_as_disk=None) == {}


def test_the_renewal() -> None:
    failing = Renewal("shop", last_failure="Some challenges have failed.", last_failure_at=START, renews_by_itself=True)
    found = of_tls(renewal=failing)["tls_renewal"]
    assert (found.severity, found.since) == (Severity.HIGH, START)
    assert "the renewal of shop fails: Some challenges" in found.message
    nothing = of_tls(renewal=Renewal("shop", renews_by_itself=False))["tls_no_renewal"]
    assert nothing.severity is Severity.LOW
    assert of_tls(renewal=Renewal("shop", renews_by_itself=None)) == {}


def test_no_handshake() -> None:
    reading = dataclasses.replace(SOUND, served=None, chain=(), trusted=None, name_matches=None)
    fault = "shop.example:443: it does not speak TLS (wrong version number)"
    found = {one.rule: one for one in tls.findings(TLS, dataclasses.replace(reading, fault=fault))}
    assert found["tls_down"].message == "shop.example:443: no TLS: it does not speak TLS (wrong version number)"


@given(st.text(min_size=1, max_size=400))
def test_every_message_fits_a_line(text: str) -> None:
    values = (Match("status", "200", "500", False), Match("body", text, text, False), Match(f"json {text}", text, text, False))
    reading = WebReading(
        START, f"https://{text}", status=500, matches=values, timing=Timing(first_byte_ms=1e6), failed_share=0.5
    )
    certificate = served(subject=text, names=(text,) * 3, days_left=3.0)
    disk = DiskCertificate(text, served(fingerprint="bb", not_before=START), text, False)
    one = dataclasses.replace(
        SOUND,
        fault=text,
        server_name=text,
        served=certificate,
        chain=(certificate,),
        trusted=False,
        distrust=text,
        name_matches=False,
        disk=disk,
        same_as_disk=False,
        renewal=Renewal(text, last_failure=text, renews_by_itself=False),
    )
    down = dataclasses.replace(reading, fault=WebFault.RESET)
    found = [*web.findings(WEB, reading), *web.findings(WEB, down), *tls.findings(TLS, one)]
    for finding in found:
        assert len(finding.message) <= 100
        assert "\n" not in finding.message
