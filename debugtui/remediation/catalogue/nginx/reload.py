"""Have an nginx take what lies on its disk: a certificate that was renewed, a file that was changed and not reloaded."""

from __future__ import annotations

from collections.abc import Mapping

from debugtui.model.nginx import NginxReading
from debugtui.model.plan import DiffPart, Guard, GuardStatus
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.tls import TlsReading
from debugtui.remediation.base import (
    Draft,
    Factor,
    Factors,
    Job,
    LiveCheck,
    LiveStep,
    NothingToDoError,
    Offer,
    Remediation,
    Sample,
    Spec,
    Undo,
)
from debugtui.remediation.catalogue.nginx import common
from debugtui.remediation.eyes import Eyes


class Reload(Remediation):
    """See the module."""

    spec = Spec(
        name="nginx.reload",
        title="Reload",
        summary="Reloads an nginx so that it takes the files and certificates on its disk, and proves that it did.",
        target="HOST/nginx/NAME",
        parameters=(),
        risk=(1, 2),
        undo=Undo.NONE,
        undo_says="The configuration that runs is not kept anywhere else; the workers of before end when their connections do.",
        guards=("runs", "tested_now", "ports_free", "privilege"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """An nginx that has not taken what lies on its disk, or serves an old certificate."""
        if target.kind not in ("nginx", "tls"):
            return None
        host = next((host for host in view.hosts if host.name == target.host), None)
        readings = [source.reading for source in host.sources] if host else []
        about = target if target.kind == "nginx" else Target(target.host, "nginx", "main")
        if any(isinstance(one, TlsReading) and one.same_as_disk is False for one in readings):
            return Offer(self.spec.name, about, True, "another certificate lies on the disk than is served", rank=2)
        if any(isinstance(one, NginxReading) and one.not_taken for one in readings):
            return Offer(self.spec.name, about, True, "its files were changed and not reloaded", rank=10)
        return Offer(self.spec.name, about, False, "it has taken what lies on its disk", rank=70)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Look at the nginx and at what it serves."""
        del params
        seen = await common.see(eyes, target)
        before, may = await common.may(eyes)
        old = await _not_taken(eyes, seen.config)
        changed, began = seen.files.changed_at, seen.look.started_at
        newer = changed is not None and began is not None and changed > began
        if not old and not newer:
            raise NothingToDoError("nginx has taken its files, and serves the certificates that lie on its disk")
        tested = await common.tested(eyes, seen, before)
        if tested.status is not GuardStatus.PASS:
            tested = Guard("tested_now", GuardStatus.FAIL, tested.why, tested.evidence)
        what = (
            f"it serves an older certificate than its disk holds ({', '.join(sorted(old))})"
            if old
            else "its files were changed"
        )
        digests = {path: file.digest for path, file in sorted(seen.files.by_path.items())}
        return Draft(
            target=Target(target.host, "nginx", seen.name),
            problem=f"{what}, and it was not reloaded since",
            solution="reload it, and see new workers" + (" serve the certificate of the disk" if old else ""),
            factors=_factors(),
            identity={"master": str(seen.look.master), "started": seen.started, **digests, **old},
            data={**seen.data(before), "names": sorted(old)},
            diff=(DiffPart("what runs", "text", f"{what}\n", "the files and certificates on its disk\n"),),
            guards=(common.running(seen), tested, common.ports(seen, seen.described), may),
            irreversible=("the configuration that runs now, where it is not what lies on the disk",),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Test, reload."""
        return (common.test_step(job), common.reload_step(job))

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """There is none."""
        return ()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The reload took, and the disk's certificate is served."""
        checks = common.reload_checks(job)
        return (*checks, served_check(job)) if job.data["names"] else checks

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """There is no rollback."""
        return ()


async def _not_taken(eyes: Eyes, config: str) -> dict[str, str]:
    """Return {web address: serial on the disk} of those that serve another certificate than their disk holds."""
    from debugtui.sources.tls.source import TlsSource

    found: dict[str, str] = {}
    for web in common.web_of(eyes, config):
        if web.url.startswith("https://"):
            reading = await TlsSource(eyes.link, web).read(full=True)
            if reading.same_as_disk is False and reading.disk is not None:
                found[web.name] = reading.disk.certificate.serial
    return found


def served_check(job: Job) -> LiveCheck:
    """Return the check that every address that served an old certificate serves the disk's now, by a handshake."""
    names = job.data["names"]
    wanted = {str(name) for name in names} if isinstance(names, list) else set()

    async def sample(eyes: Eyes) -> Sample:
        old = wanted & set(await _not_taken(eyes, str(job.data["config"])))
        return (
            Sample(False, f"the old one is served still: {', '.join(sorted(old))}")
            if old
            else Sample(True, "the disk's is served")
        )

    why = "only a handshake shows which certificate users get"
    return LiveCheck("the disk's certificate is served", 10, why, sample, within_s=20.0, every_s=3.0)


def _factors() -> Factors:
    return Factors(
        interruption=Factor(1, "a reload keeps connections; old workers end when theirs are done"),
        reversibility=Factor(1, "what ran before is the same but for what changed on the disk"),
        durable_data=Factor(0, "no data is touched"),
        blast_radius=Factor(2, "every site of this nginx"),
        blocking=Factor(0, "it takes no lock"),
        verifiability=Factor(0, "workers, log, pages and handshakes are seen directly"),
    )
