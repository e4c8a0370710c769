"""How certbot stands with a certificate: what renews it, when it last did, what the newest attempt said."""

from __future__ import annotations

import configparser
import re
from datetime import UTC, datetime

from debugtui.hosts.link import Link
from debugtui.model.text import clean, line
from debugtui.model.tls import Renewal

LIMIT_S, MOST = 10.0, 300_000
_LIVE = re.compile(r"(/.*)/live/([^/]+)/[^/]+")
_FAILED = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+:(?:ERROR|CRITICAL|WARNING):[\w.]+:(.*)")

# Arguments: certbot's directory, the lineage. The newest file of the archive is the newest renewal.
SCRIPT = r"""
echo "==renewal"; cat -- "$1/renewal/$2.conf" 2>/dev/null
echo "==newest"; ls -t -- "$1/archive/$2" 2>/dev/null | head -n 1
echo "==written"; stat -L -c %Y -- "$1/live/$2/fullchain.pem" 2>/dev/null
echo "==timers"
if [ -d /run/systemd/system ]; then systemctl list-timers --all --no-legend 2>/dev/null | grep -c certbot; fi
ls /etc/cron.d/certbot 2>/dev/null
echo "==log"; tail -c 200000 -- "$3/letsencrypt.log" 2>/dev/null
echo "==end"
"""


async def renewal_of(link: Link, path: str) -> Renewal | None:
    """Return how certbot stands with the certificate of a file; None where it is not one of certbot's.

    Raises:
        LinkError: the link is not up.
    """
    match = _LIVE.fullmatch(path)
    if match is None:
        return None
    logs = "/var/log/letsencrypt" if match[1] == "/etc/letsencrypt" else f"{match[1]}/logs"
    done = await link.run(["sh", "-c", SCRIPT, "debugtui", match[1], match[2], logs], timeout=LIMIT_S, limit=MOST)
    return parse(match[2], done.stdout.decode("utf-8", "replace"))


def parse(name: str, text: str) -> Renewal | None:
    """Read what the script printed; None where certbot has no such lineage."""
    parts: dict[str, list[str]] = {}
    part = ""
    for row in text.splitlines():
        if row.startswith("==") and row[2:] in ("renewal", "newest", "written", "timers", "log", "end"):
            part = row[2:]
            parts[part] = []
        elif part:
            parts[part].append(row)
    if not parts.get("renewal"):
        return None
    timers = [row for row in parts.get("timers", []) if row.strip()]
    written = (parts.get("written") or [""])[0]
    failure, failed_at = _newest_failure(parts.get("log", []), name)
    return Renewal(
        name=line(name, 100),
        authenticator=_authenticator(parts["renewal"]),
        renews_by_itself=any(row.strip() != "0" for row in timers) if timers else False,
        last_success=datetime.fromtimestamp(int(written), UTC) if written.isascii() and written.isdigit() else None,
        last_failure=failure,
        last_failure_at=failed_at,
    )


def _authenticator(rows: list[str]) -> str:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string("[top]\n" + "\n".join(row for row in rows if not row.startswith("[[")))
    except configparser.Error:
        return ""
    return line(parser.get("renewalparams", "authenticator", fallback=""), 40)


def _newest_failure(rows: list[str], name: str) -> tuple[str, datetime | None]:
    """Return what the newest attempt said where it failed; a success after it clears it."""
    failure, at = "", None
    for row in rows:
        match = _FAILED.match(row)
        if match and name in row and "fail" in match[2].lower():
            failure = line(clean(match[2]), 200)
            at = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        elif "Congratulations, all renewals succeeded" in row or "no renewal failures" in row:
            failure, at = "", None
    return failure, at
