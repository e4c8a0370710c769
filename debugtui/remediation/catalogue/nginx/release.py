"""Switch the symbolic link that a site's files are served through, to the release before."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Mapping

from debugtui.config.hosts import WebConfig
from debugtui.model.plan import DiffPart, Guard, GuardStatus
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.text import clean, line
from debugtui.remediation.base import (
    Done,
    Draft,
    Factor,
    Factors,
    Job,
    LiveCheck,
    LiveStep,
    Offer,
    Parameter,
    PlanError,
    Remediation,
    Sample,
    Settled,
    Spec,
    StaleError,
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.nginx import common
from debugtui.remediation.catalogue.nginx.common import LIMIT_S, STALE
from debugtui.remediation.catalogue.system.common import as_root, before_of
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

# Arguments: the link, what it has to point to now, what it is to point to. One rename switches it: no request sees it missing.
SWITCH = rf"""
now=$(readlink -- "$1") || exit 1
[ "$now" = "$3" ] && exit 0
[ "$now" = "$2" ] || {{ echo "it points to $now"; exit {STALE}; }}
next=$1.debugtui-$$
ln -s -- "$3" "$next" && mv -T -f -- "$next" "$1"
"""
# Argument: the folder of the releases; newest first.
LIST = 'cd -- "$1" && ls -1dt -- */ 2>/dev/null | head -n 50'


class RollbackRelease(Remediation):
    """See the module."""

    spec = Spec(
        name="nginx.rollback_release",
        title="Back to the release before",
        summary="Points the symbolic link that a site is served through to its release before, in one rename.",
        target="HOST/nginx/NAME",
        parameters=(
            Parameter("web", "the web address whose release it is, where several have one", required=False),
            Parameter("to", "the folder of the release; the newest one before the present where left out", required=False),
        ),
        risk=(1, 3),
        undo=Undo.EXACT,
        undo_says="The link points to the release of before again.",
        guards=("release_present", "runs", "privilege"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """Any nginx; whether a release is configured is seen when it is planned."""
        return Offer(self.spec.name, target, True, "takes the release before", rank=55) if target.kind == "nginx" else None

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Look at the link and at the releases."""
        seen = await common.see(eyes, target)
        web = _web(eyes, seen.config, params.get("web", ""))
        link = str(web.release)
        now = await _points_to(eyes, link)
        folder = posixpath.dirname(posixpath.join(posixpath.dirname(link), now))
        to, listed = await _to(eyes, folder, now, params.get("to", ""))
        before, may = await common.may(eyes)
        page = await _holds(eyes, posixpath.normpath(posixpath.join(posixpath.dirname(link), to)))
        return Draft(
            target=Target(target.host, "nginx", seen.name),
            problem=f"the release {posixpath.basename(now.rstrip('/'))} of {web.name} is to be taken back",
            solution=f"point {link} to {to}",
            factors=_factors(),
            identity={"link": link, "points to": now, "master": str(seen.look.master)},
            data={**seen.data(before), "link": link, "was": now, "to": to, "web": web.name},
            diff=(DiffPart(link, "text", f"{now}\n", f"{to}\n"), DiffPart("releases", "text", listed, listed)),
            guards=(page, common.running(seen), may),
            expected=(Target(target.host, "web", web.name), Target(target.host, "chrome", web.name)),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Switch the link."""
        return (_switch(job, "was", "to", "Switch the link"),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Switch it back."""
        return (_switch(job, "to", "was", "Switch the link back"),)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The link points there, and the pages that answered do."""
        return (_check(job, "to", "the link points to it"), common.pages_check(job))

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The link points to what it did."""
        return (_check(job, "was", "the link points to the release of before"),)


def _web(eyes: Eyes, config: str, name: str) -> WebConfig:
    webs = [web for web in common.web_of(eyes, config) if web.release is not None and name in ("", web.name)]
    if len(webs) != 1:
        what = "several web addresses have a release: web= says which" if webs else "no web address of it has a release"
        raise PlanError(f"{what} (release = in [[hosts.web]] names the symbolic link)")
    return webs[0]


async def _points_to(eyes: Eyes, link: str) -> str:
    done = await eyes.run(["readlink", "--", link], limit=5_000)
    if done.status != 0:
        raise PlanError(f"{line(link, 200)} is no symbolic link on {eyes.host.name}")
    return done.stdout.decode("utf-8", "replace").rstrip("\n")


async def _to(eyes: Eyes, folder: str, now: str, wanted: str) -> tuple[str, str]:
    """Return (what the link is to point to, the releases as text)."""
    done = await eyes.run(["sh", "-c", LIST, "debugtui", folder], limit=50_000)
    names = [row.rstrip("/") for row in done.stdout.decode("utf-8", "replace").splitlines()]
    present = posixpath.basename(now.rstrip("/"))
    if wanted:
        name = posixpath.basename(wanted.rstrip("/"))
    else:
        older = names[names.index(present) + 1 :] if present in names else []
        if not older:
            raise PlanError(f"there is no release before {line(present, 100)} in {line(folder, 200)}")
        name = older[0]
    if name == present:
        raise PlanError(f"{line(name, 100)} is the present release")
    if name not in names:
        raise PlanError(f"there is no release {line(name, 100)!r} in {line(folder, 200)}")
    return posixpath.join(posixpath.dirname(now.rstrip("/")), name), "\n".join(clean(name) for name in names) + "\n"


async def _holds(eyes: Eyes, folder: str) -> Guard:
    done = await eyes.run(["sh", "-c", 'find -L "$1" -type f | head -n 100000 | wc -l', "debugtui", folder], limit=1_000)
    count = done.stdout.decode("ascii", "replace").strip()
    if done.status == 0 and count.isdigit() and int(count):
        return Guard("release_present", GuardStatus.PASS, "the release holds files", f"{count} files, seen just now")
    return Guard("release_present", GuardStatus.FAIL, "the release is empty, or cannot be read", line(folder, 200))


def _switch(job: Job, was: str, to: str, title: str) -> LiveStep:
    words = [str(job.data["link"]), str(job.data[was]), str(job.data[to])]
    argv = as_root(before_of(job), ["sh", "-c", SWITCH, "debugtui-switch", *words], LIMIT_S)

    async def run(hands: Hands) -> Done:
        sound = await common.sound_pages(hands, str(job.data["config"]))
        done = await hands.command(argv, timeout_s=LIMIT_S)
        said = line(clean(done.stdout).strip() or clean(done.stderr).strip(), 300)
        if done.status == STALE:
            raise StaleError(said)
        if done.status != 0:
            raise StepError(f"the link could not be switched: {said or 'no word'}")
        return Done("switched in one rename", {"sound": sound})

    async def settle(eyes: Eyes) -> Settled:
        now = await _points_to(eyes, words[0])
        return Settled.DONE if now == words[2] else Settled.NOT_DONE if now == words[1] else Settled.UNKNOWN

    shown = f"ln -s {shlex.quote(words[2])} NEXT && mv -T NEXT {shlex.quote(words[0])}"
    return LiveStep(title, shown, True, LIMIT_S, f"point it to {words[1]}", run, settle)


def _check(job: Job, name: str, title: str) -> LiveCheck:
    wanted = str(job.data[name])

    async def sample(eyes: Eyes) -> Sample:
        now = await _points_to(eyes, str(job.data["link"]))
        return Sample(now == wanted, now)

    return LiveCheck(title, 5, "a deployment may switch it too", sample, within_s=5.0)


def _factors() -> Factors:
    return Factors(
        interruption=Factor(1, "pages that are open load files of the other release"),
        reversibility=Factor(0, "the link is switched back exactly"),
        durable_data=Factor(0, "no data is touched"),
        blast_radius=Factor(2, "everybody who opens the site"),
        blocking=Factor(0, "it takes no lock"),
        verifiability=Factor(0, "link and pages are seen directly"),
    )
