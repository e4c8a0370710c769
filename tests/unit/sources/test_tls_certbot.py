"""How certbot stands with a certificate, from its files as it writes them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from debugtui.hosts.link import CommandResult
from debugtui.sources.tls import certbot
from debugtui.sources.tls.certbot import Facts, Lineage, lineage_of, renewal
from tests.unit.fakes import FakeLink

CONFIG = """# renew_before_expiry = 30 days
version = 2.1.0
archive_dir = /etc/letsencrypt/archive/shop
cert = /etc/letsencrypt/live/shop/cert.pem

# Options used in the renewal process
[renewalparams]
authenticator = webroot
account = 0123456789abcdef0123456789abcdef
server = https://acme.example/directory
[[webroot_map]]
shop.example = /var/www/100%
"""
DEBIAN = (
    "0 */12 * * * root test -x /usr/bin/certbot -a \\! -d /run/systemd/system && "
    "perl -e 'sleep int(rand(43200))' && certbot -q renew"
)
LOG = """2026-03-13 05:00:00,111:DEBUG:certbot._internal.main:certbot version: 2.1.0
2026-03-13 05:00:01,269:ERROR:certbot._internal.renewal:Failed to renew certificate shop with error: an older one
2026-03-14 05:00:01,269:ERROR:certbot._internal.renewal:Failed to renew certificate shop with error: Some challenges failed.
2026-03-14 05:00:01,270:DEBUG:certbot._internal.renewal:Traceback was:
Traceback (most recent call last):
  File "/usr/lib/python3/dist-packages/certbot/_internal/renewal.py", line 540, in handle_renewal_request
2026-03-14 05:00:02,269:ERROR:certbot._internal.renewal:Failed to renew certificate shop-2 with error: another one
2026-03-14 05:00:03,271:ERROR:certbot._internal.renewal:All renewals failed. The following certificates could not be renewed:
"""
FAILED_AT = datetime(2026, 3, 14, 5, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "lineage"),
    [
        ("/etc/letsencrypt/live/shop.example/fullchain.pem", Lineage("/etc/letsencrypt", "shop.example")),
        ("/opt/../etc/letsencrypt/live/a/cert.pem", Lineage("/etc/letsencrypt", "a")),
        ("/etc/ssl/shop.pem", None),
        ("/etc/letsencrypt/archive/shop/fullchain1.pem", None),
        ("live/shop/fullchain.pem", None),
    ],
)
def test_the_lineage_of_a_path(path: str, lineage: Lineage | None) -> None:
    assert lineage_of(path) == lineage


def test_a_failure_counts_until_a_certificate_is_written() -> None:
    failing = renewal("shop", Facts(CONFIG, written="1700000000", offset="+0000", log=LOG))
    assert failing.authenticator == "webroot"
    assert (failing.last_failure, failing.last_failure_at) == ("Some challenges failed.", FAILED_AT)
    assert failing.last_success == datetime.fromtimestamp(1_700_000_000, UTC)
    after = int(FAILED_AT.timestamp()) + 60
    mended = renewal("shop", Facts(CONFIG, written=str(after), offset="+0000", log=LOG))
    assert (mended.last_failure, mended.last_failure_at) == ("", None)
    assert renewal("shop-2", Facts(CONFIG, log=LOG)).last_failure == "another one"
    assert renewal("sho", Facts(CONFIG, log=LOG)).last_failure == ""


def test_times_are_those_of_the_host() -> None:
    for offset, hour in (("+0200", 3), ("-0530", 10), ("", 5), ("CET", 5)):
        at = renewal("shop", Facts(CONFIG, offset=offset, log=LOG)).last_failure_at
        assert at is not None
        assert at.hour == hour


def test_a_spoilt_configuration_is_a_failure_too() -> None:
    for text, why in (
        ("/etc/letsencrypt/renewal/shop.conf is broken.", "its configuration is broken."),
        (
            "/x/renewal/shop.conf (cert: shop) produced an unexpected error: no. Skipping.",
            "its configuration produced an unexpected error: no. Skipping.",
        ),
    ):
        log = f"2026-03-14 05:00:01,269:ERROR:certbot._internal.renewal:Renewal configuration file {text}\n"
        assert renewal("shop", Facts(CONFIG, log=log)).last_failure == why


def test_secrets_of_the_log_are_not_shown() -> None:
    log = "2026-03-14 05:00:01,2:ERROR:x:Failed to renew certificate shop with error: bad dns_api_token=abcdefgh1234\n"
    assert "abcdefgh" not in renewal("shop", Facts(CONFIG, log=log)).last_failure


@pytest.mark.parametrize(
    ("facts", "by_itself"),
    [
        (Facts(CONFIG, timers="Sat 2026-03-14 certbot.timer certbot.service", systemd=True), True),
        (Facts(CONFIG, timers="- - snap.certbot.renew.timer snap.certbot.renew.service"), True),
        (Facts(CONFIG, cron=DEBIAN), True),
        (Facts(CONFIG, cron=DEBIAN, systemd=True), None),  # that line does nothing beside systemd
        (Facts(CONFIG, cron=DEBIAN, systemd=True, crontab=""), False),
        (Facts(CONFIG, cron="17 3 * * * root certbot renew", systemd=True), True),
        (Facts(CONFIG, crontab="17 3 * * * certbot renew"), True),
        (Facts(CONFIG, crontab=""), False),
        (Facts(CONFIG), None),  # somebody's own crontab may do it
        (Facts(CONFIG.replace("[[", "autorenew = False\n[["), cron=DEBIAN), False),
    ],
)
def test_what_renews_it(facts: Facts, by_itself: bool | None) -> None:
    assert renewal("shop", facts).renews_by_itself is by_itself


@pytest.mark.parametrize("config", ["", "\0", "[x", "= = =", "no sign", "[renewalparams]\n[renewalparams]"])
def test_any_configuration_is_read(config: str) -> None:
    assert renewal("shop", Facts(config)).name == "shop"


class Answers(FakeLink):
    """A link that gives prepared answers, in turn."""

    def __init__(self, *answers: CommandResult) -> None:
        super().__init__()
        self.answers = list(answers)

    async def run(self, argv: object, *, timeout: float, stdin: bytes = b"", limit: int = 0) -> CommandResult:
        return self.answers.pop(0)


async def test_not_certbots_or_not_readable() -> None:
    lineage = Lineage("/etc/letsencrypt", "shop")
    none = CommandResult(1, b"", b"cat: /x: No such file or directory")
    assert await certbot.read(Answers(none), lineage) == (None, ())
    denied = CommandResult(1, b"", b"cat: /x: Permission denied")
    found, gaps = await certbot.read(Answers(denied), lineage)
    assert found is None
    assert "Permission denied" in gaps[0].problem.says
    cut = CommandResult(0, b"a\0b", b"")
    found, gaps = await certbot.read(Answers(CommandResult(0, CONFIG.encode(), b""), cut), lineage)
    assert (found, gaps[0].feature) == (None, "renewal")
