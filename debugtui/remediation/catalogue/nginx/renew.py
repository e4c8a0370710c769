"""Renew a certificate with certbot, have nginx serve it, and prove by a handshake that it does."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from debugtui.config.redaction import redact
from debugtui.model.plan import DiffPart, Guard, GuardStatus
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.text import clean, line
from debugtui.model.tls import TlsReading
from debugtui.remediation.base import (
    Done,
    Draft,
    Factor,
    Factors,
    Job,
    LiveCheck,
    LiveStep,
    NothingToDoError,
    Offer,
    Parameter,
    PlanError,
    Remediation,
    Sample,
    Settled,
    Spec,
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.nginx import common
from debugtui.remediation.catalogue.nginx.common import LIMIT_S, Seen
from debugtui.remediation.catalogue.system.common import as_root, before_of
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.remediation.remote.settled import by_mark
from debugtui.sources.nginx.tree import everywhere
from debugtui.sources.tls import certbot

#: Seconds for one run of certbot: an authority may take minutes to look at the domain.
CERTBOT_S = 300
#: certbot itself renews from 30 days on; earlier only where the operator says so.
DUE_DAYS = 30.0

_LIVE = re.compile(r"(/.*)/live/([^/]+)/[^/]+")
_SERVER = re.compile(r"^server\s*=\s*(https?://\S+)\s*$", re.MULTILINE)
_NAMES = ("cert.pem", "chain.pem", "fullchain.pem", "privkey.pem")

# Arguments: the live folder, then a name and what it has to point to, again and again.
REPOINT = r"""
cd -- "$1" || exit 1
shift
while [ $# -ge 2 ]; do
  [ -e "$2" ] || { echo "$2 is gone" >&2; exit 1; }
  ln -s -- "$2" "$1.debugtui-$$" && mv -T -f -- "$1.debugtui-$$" "$1" || exit 1
  shift 2
done
"""


class RenewCertificate(Remediation):
    """See the module."""

    spec = Spec(
        name="nginx.renew_certificate",
        title="Renew a certificate",
        summary="Renews a certificate with certbot after a dry run, reloads nginx, and sees it served in a handshake.",
        target="HOST/nginx/NAME",
        parameters=(
            Parameter("name", "certbot's name of the certificate"),
            Parameter("force", "yes renews it before it is due", required=False, default="no"),
        ),
        risk=(1, 3),
        undo=Undo.EXACT,
        undo_says="The certificate of before is kept until it ends: the links point to it again, and nginx is reloaded.",
        guards=("lineage_known", "certbot", "no_recent_failure", "runs", "tested_now", "privilege"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """A certificate that ends soon."""
        if target.kind not in ("nginx", "tls"):
            return None
        host = next((host for host in view.hosts if host.name == target.host), None)
        about = target if target.kind == "nginx" else Target(target.host, "nginx", "main")
        for source in host.sources if host else ():
            reading = source.reading
            if isinstance(reading, TlsReading) and reading.renewal is not None and reading.served is not None:
                days, name = reading.served.days_left, reading.renewal.name
                if days < DUE_DAYS:
                    return Offer(self.spec.name, about, True, f"{name} ends in {days:.0f} days", (("name", name),), rank=3)
        return Offer(self.spec.name, about, False, "no certificate of certbot's ends within 30 days", rank=70)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Look at the lineage, at certbot and at what is served."""
        seen = await common.see(eyes, target)
        root, path = lineage(seen, params["name"])
        found = certbot.lineage_of(path)
        renewal = (await certbot.read(eyes.link, found))[0] if found is not None else None
        if renewal is None:
            raise PlanError(f"certbot has no certificate {line(params['name'], 100)!r} in {root}")
        links = await _links(eyes, f"{root}/live/{params['name']}")
        served = await served_serials(eyes, seen.config, path)
        days = min((left for _, left, _ in served.values()), default=None)
        if params.get("force", "no") != "yes" and days is not None and days > DUE_DAYS:
            raise NothingToDoError(f"it has {days:.0f} days left; force=yes renews it all the same")
        before, may = await common.may(eyes)
        tried = Guard("no_recent_failure", GuardStatus.PASS, "the newest attempt did not fail", "certbot's log")
        if renewal.last_failure:
            why = "the newest attempt failed; authorities allow few failures an hour"
            tried = Guard("no_recent_failure", GuardStatus.UNKNOWN, why, renewal.last_failure, critical=False)
        return Draft(
            target=Target(target.host, "nginx", seen.name),
            problem=f"the certificate {params['name']} ends soon"
            if days is None or days <= DUE_DAYS
            else "it is to be renewed early",
            solution="renew it with certbot after a dry run, reload nginx, and see the new one in a handshake",
            factors=_factors(),
            identity={"links": " ".join(f"{name}={to}" for name, to in sorted(links.items())), "master": str(seen.look.master)},
            data={
                **seen.data(before),
                "name": params["name"],
                "root": root,
                "path": path,
                "links": links,
                "server": await _server(eyes, root, params["name"]),
                "serials": {name: serial for name, (serial, _, _) in sorted(served.items())},
                "named": sorted(name for name, (_, _, fits) in served.items() if fits),
                "force": params.get("force", "no") == "yes",
            },
            diff=(DiffPart(f"{root}/live/{params['name']}", "text", _listed(links), "links to a newer certificate\n"),),
            guards=(
                Guard(
                    "lineage_known",
                    GuardStatus.PASS,
                    f"nginx names {path}",
                    f"by {renewal.authenticator or 'an authenticator'}",
                ),
                await _certbot(eyes),
                tried,
                common.running(seen),
                await common.tested(eyes, seen, before),
                may,
            ),
            irreversible=("the authority counts the new certificate against its limits",),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Dry run, renewal, reload."""
        dry = _certbot_step(job, "1", "Try it without taking it", ["--dry-run"], writes=False)
        force = ["--force-renewal"] if job.data["force"] else []
        return (dry, _certbot_step(job, "2", "Renew it", force, writes=True), common.reload_step(job))

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """The links of before, and a reload."""
        return (_repoint_step(job), common.reload_step(job, back=True))

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The reload took, and a handshake shows a new certificate, which is the disk's, for the name, with its key."""
        return (*common.reload_checks(job), _served_check(job))

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The links are as before, and the reload took."""
        return (*common.reload_checks(job, back=True), _links_check(job))


def lineage(seen: Seen, name: str) -> tuple[str, str]:
    """Return (certbot's folder, the certificate's path) of a lineage that the configuration names.

    Raises:
        PlanError: it names none of that name.
    """
    found = {}
    for one in everywhere(seen.tree.directives, "ssl_certificate"):
        match = _LIVE.fullmatch(one.args[0]) if one.args else None
        if match is not None:
            found[match[2]] = (match[1], one.args[0])
    if name not in found:
        there = ", ".join(sorted(found)) or "none: no ssl_certificate lies in a live/ folder"
        raise PlanError(f"nginx names no certificate {line(name, 100)!r} of certbot's (there are: {there})")
    return found[name]


async def served_serials(eyes: Eyes, config: str, path: str) -> dict[str, tuple[str, float, bool]]:
    """Return {web address: (serial, days left, for its name)} of what is served where nginx names this certificate."""
    from debugtui.sources.tls.source import TlsSource

    found = {}
    for web in common.web_of(eyes, config):
        if web.url.startswith("https://"):
            reading = await TlsSource(eyes.link, web).read(full=True)
            if reading.served is not None and reading.disk is not None and reading.disk.path == path:
                found[web.name] = (reading.served.serial, reading.served.days_left, reading.name_matches is True)
    return found


async def _links(eyes: Eyes, folder: str) -> dict[str, str]:
    found = {}
    for name in _NAMES:
        done = await eyes.run(["readlink", "--", f"{folder}/{name}"], limit=5_000)
        if done.status == 0:
            found[name] = done.stdout.decode("utf-8", "replace").rstrip("\n")
    if "fullchain.pem" not in found:
        raise PlanError(f"{line(folder, 200)} holds no links of certbot's that can be read")
    return found


async def _server(eyes: Eyes, root: str, name: str) -> str:
    """Return the authority that certbot has to be told; empty: Let's Encrypt, whose own place for tries a dry run knows."""
    done = await eyes.run(["cat", "--", f"{root}/renewal/{name}.conf"], limit=100_000)
    match = _SERVER.search(done.stdout.decode("utf-8", "replace"))
    return line(match[1], 300) if match and "letsencrypt.org/" not in match[1] else ""


def _listed(links: Mapping[str, str]) -> str:
    return "".join(f"{name} -> {to}\n" for name, to in sorted(links.items()))


async def _certbot(eyes: Eyes) -> Guard:
    done = await eyes.run(["certbot", "--version"], timeout=LIMIT_S, limit=10_000)
    said = line((clean(done.stdout) or clean(done.stderr)).strip(), 100)
    if done.status == 0:
        return Guard("certbot", GuardStatus.PASS, "certbot is there", said)
    return Guard("certbot", GuardStatus.FAIL, "certbot is not there", said)


def _argv(job: Job, more: Sequence[str]) -> list[str]:
    root = str(job.data["root"])
    places = ["--config-dir", root]
    if root != "/etc/letsencrypt":
        places += ["--work-dir", f"{root}/work", "--logs-dir", f"{root}/logs"]
    if job.data["server"]:
        places += ["--server", str(job.data["server"])]
    # Without a terminal certbot waits up to eight minutes, so as not to come with everybody else's.
    return ["certbot", "renew", "--cert-name", str(job.data["name"]), "-n", "--no-random-sleep-on-renew", *places, *more]


def _certbot_step(job: Job, label: str, title: str, more: Sequence[str], *, writes: bool) -> LiveStep:
    argv = _argv(job, more)
    rooted = as_root(before_of(job), argv, CERTBOT_S)

    async def run(hands: Hands) -> Done:
        done = await hands.command(rooted, timeout_s=CERTBOT_S)
        said = [row for row in (clean(done.stdout) + clean(done.stderr)).splitlines() if row.strip()]
        if done.status != 0:
            why = next((row for row in said if "Detail:" in row or "rror" in row), said[-1] if said else "no word")
            raise StepError(
                f"certbot ended with status {done.status}: {redact(line(why.strip(), 300))}", changed=writes or False
            )
        return Done("certbot ended with status 0; what is served is watched")

    async def settle(eyes: Eyes) -> Settled:
        if not writes:
            return Settled.DONE  # it takes nothing: whether it ran to its end makes no difference
        now = await _links(eyes, f"{job.data['root']}/live/{job.data['name']}")
        return Settled.DONE if now != job.data["links"] else await by_mark(job, label)(eyes)

    return LiveStep(title, shlex.join(argv), writes, CERTBOT_S, None, run, settle)


def _repoint_step(job: Job) -> LiveStep:
    links = job.data["links"] if isinstance(job.data["links"], dict) else {}
    words = [word for name, to in sorted(links.items()) for word in (str(name), str(to))]
    folder = f"{job.data['root']}/live/{job.data['name']}"
    argv = as_root(before_of(job), ["sh", "-c", REPOINT, "debugtui-repoint", folder, *words], LIMIT_S)

    async def run(hands: Hands) -> Done:
        done = await hands.command(argv, timeout_s=LIMIT_S)
        if done.status != 0:
            raise StepError(f"the links could not be restored: {line(clean(done.stderr).strip(), 200) or 'no word'}")
        return Done("the links of before are back")

    async def settle(eyes: Eyes) -> Settled:
        return Settled.DONE if await _links(eyes, folder) == links else Settled.NOT_DONE

    command = f"in {folder}: " + ", ".join(f"{name} -> {to}" for name, to in sorted(links.items()))
    return LiveStep("Point the links to the certificate of before", command, True, LIMIT_S, None, run, settle)


def _served_check(job: Job) -> LiveCheck:
    old = job.data["serials"] if isinstance(job.data["serials"], dict) else {}
    named = job.data["named"] if isinstance(job.data["named"], list) else []

    async def sample(eyes: Eyes) -> Sample:
        from debugtui.sources.tls.source import TlsSource

        said = []
        for web in common.web_of(eyes, str(job.data["config"])):
            if web.name not in old:
                continue
            reading = await TlsSource(eyes.link, web).read(full=True)
            if reading.served is None:
                return Sample(False, f"{web.name}: {reading.fault or 'no handshake'}")
            if reading.served.serial == old[web.name]:
                return Sample(False, f"{web.name} serves the old certificate still")
            if reading.same_as_disk is False:
                return Sample(False, f"{web.name} serves a certificate that is not the disk's")
            if reading.name_matches is False and web.name in named:
                return Sample(False, f"the new certificate is not for the name of {web.name} any more")
            if reading.disk is not None and reading.disk.key_matches is False:
                return Sample(False, f"the key on the disk is not the key of {web.name}'s certificate")
            said.append(f"{web.name}: serial {reading.served.serial}, {reading.served.days_left:.0f} days")
        return Sample(bool(said), "; ".join(said)) if said else Sample(None, "no web address serves this certificate")

    why = "only a handshake shows which certificate users get"
    return LiveCheck("a new certificate is served", 10, why, sample, within_s=20.0, every_s=3.0)


def _links_check(job: Job) -> LiveCheck:
    async def sample(eyes: Eyes) -> Sample:
        now = await _links(eyes, f"{job.data['root']}/live/{job.data['name']}")
        return Sample(now == job.data["links"], _listed(now).replace("\n", " ").strip())

    return LiveCheck("the links are as before", 0, "certbot may run by itself", sample, within_s=5.0)


def _factors() -> Factors:
    return Factors(
        interruption=Factor(1, "a reload keeps connections"),
        reversibility=Factor(1, "the certificate of before stays valid until it ends"),
        durable_data=Factor(0, "no data is touched"),
        blast_radius=Factor(2, "every site with this certificate"),
        blocking=Factor(0, "it takes no lock"),
        verifiability=Factor(0, "a handshake shows what is served"),
    )
