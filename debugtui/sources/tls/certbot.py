"""How certbot stands with one certificate: its configuration, what renews it, and what its log says of the newest attempts."""

from __future__ import annotations

import configparser
import posixpath
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from debugtui.config.redaction import redact
from debugtui.hosts.link import Link
from debugtui.model.source import Gap, Problem
from debugtui.model.text import decode, line
from debugtui.model.tls import Renewal

#: Seconds that each of the two commands may take.
LIMIT_S = 8.0
#: Bytes of the end of each log that are read. A run that fails writes some ten kilobytes, with the answers of the authority.
TAIL = 150_000
#: Where certbot writes its logs where its configuration does not say.
LOGS = "/var/log/letsencrypt"

_LIVE = re.compile(r"(?P<root>/.*)/live/(?P<name>[^/]+)/[^/]+")

# Everything about one lineage in one command: $1 the root, $2 the name, $3 the logs, $4 how much of them. Parts end with a NUL.
# certbot starts a new log with every run and keeps the old ones as .1, .2 and so on.
_SCRIPT = r"""part() { printf '%s\0' "$1"; }
ours() { grep -iE 'certbot|letsencrypt' | grep -v '^[[:space:]]*#'; }
p=$1/live/$2/fullchain.pem
log=$3/letsencrypt.log
part "$(stat -L -c %Y -- "$p" 2>/dev/null)"
part "$(date +%z 2>/dev/null)"
part "$(systemctl list-timers --no-legend --no-pager 2>/dev/null | ours)"
part "$([ -d /run/systemd/system ] && echo systemd)"
part "$(cat /etc/cron.d/* /etc/crontab /etc/cron.daily/* /etc/cron.weekly/* 2>/dev/null | ours)"
if [ "$(id -u)" = 0 ]; then part "all $(crontab -l 2>/dev/null | ours)"; else part ""; fi
denied=
if [ -e "$log" ]; then [ -r "$log" ] || denied=denied
elif [ -d "$3" ]; then [ -x "$3" ] || denied=denied
elif ! [ -x "${3%/*}" ] && [ -e "${3%/*}" ]; then denied=denied; fi
part "$denied"
for f in "$log.2" "$log.1" "$log"; do
  [ -r "$f" ] && tail -c "$4" -- "$f" && echo
done
printf '\0'"""

_ENTRY = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+:(\w+):([\w.]+):(.*)$", re.MULTILINE)
_FAILED = re.compile(
    r"Failed to renew certificate (?P<name>\S+) with error: (?P<why>.*)"
    r"|Renewal configuration file \S*/(?P<file>[^/\s]+)\.conf (?:\(cert: [^)]*\) )?(?P<spoilt>.*)"
)
# certbot's own line of Debian's cron file: it does nothing where systemd runs, because the timer does it there.
_NOT_UNDER_SYSTEMD = re.compile(r"!\s+-d\s+/run/systemd/system")


@dataclass(frozen=True, slots=True)
class Lineage:
    """One certificate of certbot: its root (`/etc/letsencrypt`) and its name."""

    root: str
    name: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the host says of a lineage; texts as they came."""

    config: str
    written: str = ""
    offset: str = ""
    timers: str = ""
    systemd: bool = False
    cron: str = ""
    crontab: str | None = None
    log: str = ""


def lineage_of(certificate: str) -> Lineage | None:
    """Return the lineage of a certificate's path, `ROOT/live/NAME/fullchain.pem`; None where it is not certbot's."""
    found = _LIVE.fullmatch(posixpath.normpath(certificate))
    return Lineage(found["root"], found["name"]) if found else None


async def read(link: Link, lineage: Lineage) -> tuple[Renewal | None, tuple[Gap, ...]]:
    """Return how a lineage is renewed, and what could not be read of it; None where certbot has no configuration for it.

    Raises:
        LinkError: the link is not up, or a command did not end.
    """
    path = f"{lineage.root}/renewal/{lineage.name}.conf"
    done = await link.run(["cat", "--", path], timeout=LIMIT_S, limit=TAIL)
    if done.status != 0:
        says = line(done.stderr, 200)
        if "no such file" in says.lower():
            return None, ()
        return None, (Gap("renewal", Problem(says or f"{path} cannot be read", "certbot's files belong to root")),)
    config = decode(done.stdout)
    logs = _parameters(config).get("logs_dir") or LOGS
    done = await link.run(
        ["sh", "-c", _SCRIPT, "sh", lineage.root, lineage.name, logs, str(TAIL)], timeout=LIMIT_S, limit=4 * TAIL
    )
    parts = [decode(part).strip("\n") for part in done.stdout.split(b"\0")]
    if len(parts) < 8:
        return None, (Gap("renewal", Problem(f"its state cannot be read: {line(done.stderr, 200)}")),)
    facts = Facts(
        config=config,
        written=parts[0],
        offset=parts[1],
        timers=parts[2],
        systemd=bool(parts[3]),
        cron=parts[4],
        crontab=parts[5].removeprefix("all").strip() if parts[5] else None,
        log=parts[7],
    )
    denied = Gap("renewal log", Problem(f"{line(logs, 200)} cannot be read", "certbot's logs belong to root"))
    return renewal(lineage.name, facts), (denied,) if parts[6] == "denied" else ()


def renewal(name: str, facts: Facts) -> Renewal:
    """Return what the facts say of a lineage."""
    parameters = _parameters(facts.config)
    written = datetime.fromtimestamp(int(facts.written), UTC) if facts.written.isdecimal() else None
    at, why = _last_failure(name, facts)
    if at is not None and written is not None and written > at:
        at, why = None, ""  # a certificate was written since
    return Renewal(
        name=line(name, 200),
        authenticator=line(parameters.get("authenticator", ""), 60),
        renews_by_itself=_by_itself(parameters, facts),
        last_success=written,
        last_failure=why,
        last_failure_at=at,
    )


def _parameters(config: str) -> dict[str, str]:
    """The values of a lineage's file, with those of its section `renewalparams`. certbot's own files are read leniently."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    try:
        parser.read_string(f"[top]\n{config}")
    except configparser.Error:
        return {}
    found = dict(parser["top"])
    if parser.has_section("renewalparams"):
        found |= dict(parser["renewalparams"])
    return found


def _by_itself(parameters: dict[str, str], facts: Facts) -> bool | None:
    """Whether a timer or a cron entry renews it. Other people's crontabs are only read by root, so others never hear "no"."""
    if parameters.get("autorenew", "").strip().lower() in ("false", "no", "0"):
        return False
    if facts.timers:
        return True
    entries = [entry for entry in facts.cron.splitlines() if not (facts.systemd and _NOT_UNDER_SYSTEMD.search(entry))]
    if entries or facts.crontab:
        return True
    return None if facts.crontab is None else False


def _last_failure(name: str, facts: Facts) -> tuple[datetime | None, str]:
    """The newest failure that the logs hold for a lineage: when (UTC), and what it said."""
    zone = _zone(facts.offset)
    newest: tuple[datetime | None, str] = (None, "")
    for entry in _ENTRY.finditer(facts.log):
        failed = _FAILED.match(entry[4])
        if entry[2] != "ERROR" or failed is None or name not in (failed["name"], failed["file"]):
            continue
        why = failed["why"] or f"its configuration {failed['spoilt']}"
        try:
            # certbot writes its host's local time.
            at = datetime.strptime(entry[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone).astimezone(UTC)
        except ValueError:
            continue
        if newest[0] is None or at >= newest[0]:
            newest = (at, line(redact(why), 300))
    return newest


def _zone(offset: str) -> timezone:
    found = re.fullmatch(r"([+-])(\d\d)(\d\d)", offset)
    if found is None:
        return UTC
    minutes = int(found[2]) * 60 + int(found[3])
    return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
