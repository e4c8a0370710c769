"""An application whose settings are an environment file: the file is written anew, and its unit restarted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from debugtui.config.models import GroqAppConfig
from debugtui.config.redaction import MASK, redact
from debugtui.model.plan import DiffPart, Guard, GuardStatus
from debugtui.model.source import Problem
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.remediation.base import Done, Draft, Factor, Factors, Job, LiveCheck, LiveStep, PlanError, Sample, Settled
from debugtui.remediation.catalogue.docker.environment import is_reference
from debugtui.remediation.catalogue.groq.common import App, Place
from debugtui.remediation.catalogue.groq.env_file import seal, value_of
from debugtui.remediation.catalogue.groq.file_host import Found, open_file
from debugtui.remediation.catalogue.groq.file_steps import FileSteps
from debugtui.remediation.catalogue.system.common import as_root, before_of, change, machine
from debugtui.remediation.catalogue.system.unit import RESTART_LIMIT_S, STAYS_S, RestartUnit, properties, restart_step, stamp
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.base import SourceError

PASS, FAIL = GuardStatus.PASS, GuardStatus.FAIL

#: Seconds that a file is watched where nothing is restarted, and lines of the journal that are looked at.
FILE_WATCH_S, LOG_LINES = 20, 2_000


class FileApp(App):
    """Such an application."""

    kind = "file"

    def __init__(self, found: Found, before: tuple[str, ...], may: Guard, app: GroqAppConfig, host: str) -> None:
        names = (app.key, app.model, app.timeout, app.retries, app.concurrency)
        super().__init__({name: value for name in names if (value := _value(found.text, name)) is not None})
        self._found, self._before, self._may, self._unit, self._host = found, before, may, app.unit, host

    @classmethod
    async def found(cls, eyes: Eyes, app: GroqAppConfig) -> FileApp:
        """Read it.

        Raises:
            PlanError: there is no such file, or it is no environment file.
            SourceError, LinkError: it cannot be read.
        """
        found, before, may = await open_file(eyes, str(app.file))
        return cls(found, before, may, app, eyes.host.name)

    @property
    def shown(self) -> str:
        """The file."""
        return line(self._found.path, 200)

    @property
    def changed(self) -> Target:
        """The unit; the file where there is none."""
        return Target(self._host, "system", self._unit or self._found.path)

    async def draft(self, eyes: Eyes, changes: Mapping[str, str]) -> Draft:
        """Draft that it is written anew, and that its unit is restarted."""
        for name in changes:
            value_of(self._found.text, name)  # refuses what readers would take differently
        sealed = await asyncio.to_thread(seal, self._found.text, self._found.path)
        file = {
            "path": self._found.path,
            "before": list(self._before),
            "seal": sealed,
            "owner": [self._found.mode, self._found.owner, self._found.group],
            "changes": dict(changes),
        }
        owner = f"mode {self._found.mode}, owner {self._found.owner}:{self._found.group}"
        identity = {"file": self._found.path, "owner": owner, "content": sealed}
        guards = (self._may, self._plain())
        diff = (DiffPart(self.shown, "text", self._rows(changes, self.values), self._rows(changes, changes)),)
        if self._unit is None:
            return Draft(
                target=self.changed,
                problem="",
                solution="",
                factors=_still(),
                identity={"machine": await machine(eyes), **identity},
                data={"file": file, "unit": "", "log": False},
                diff=diff,
                guards=guards,
                irreversible=(self._kept(), "nothing is restarted: the application reads the file when it is started next"),
            )
        base = await RestartUnit().draft(eyes, Target(self._host, "system", self._unit), {})
        return Draft(
            target=self.changed,
            problem="",
            solution="",
            factors=_restarting(base.factors),
            identity={**base.identity, **identity},
            data={**base.data, "file": file, "log": await _has_log(eyes, base)},
            diff=(*diff, *base.diff),
            guards=(*guards, *base.guards),
            irreversible=(self._kept(), *base.irreversible),
            mitigations=base.mitigations,
            stop=base.stop,
            expected=(base.target,),
        )

    def _plain(self) -> Guard:
        if self._found.links != 1:
            why = "the file has several names (hard links): the others would keep the old content"
            return Guard("file_plain", FAIL, why, f"{self._found.links} links")
        return Guard("file_plain", PASS, "a regular file with one name", f"mode {self._found.mode}, read just now")

    def _kept(self) -> str:
        return f"the old file stays beside it as {self.shown}.debugtui-…, with its secrets: it is removed by hand"

    def _rows(self, changes: Mapping[str, str], values: Mapping[str, str]) -> str:
        """Return the lines that change, to show; a key is masked, and its fingerprints are shown elsewhere."""
        shown = {name: MASK if is_reference(changes[name]) else values[name] for name in sorted(changes) if name in values}
        return redact("".join(f"{name}={value}\n" for name, value in shown.items()))


def _value(text: str, name: str) -> str | None:
    try:
        return value_of(text, name)
    except PlanError:
        return None  # said when this variable is to be changed


def _still() -> Factors:
    return Factors(
        interruption=Factor(0, "nothing is restarted"),
        reversibility=Factor(1, "the old file is kept, and moved back"),
        durable_data=Factor(1, "configuration with its old content kept"),
        blast_radius=Factor(2, "one application and its clients"),
        blocking=Factor(0, "it takes no lock"),
        verifiability=Factor(2, "only the file can be seen, not whether the application has read it"),
    )


def _restarting(base: Factors) -> Factors:
    return Factors(
        interruption=base.interruption,
        reversibility=Factor(2, "the old file is kept and moved back, and the unit restarted"),
        durable_data=base.durable_data,
        blast_radius=base.blast_radius,
        blocking=base.blocking,
        verifiability=base.verifiability,
    )


async def _has_log(eyes: Eyes, base: Draft) -> bool:
    before = base.data["before"]
    words = [str(word) for word in before] if isinstance(before, list) else []
    argv = [*words, "journalctl", "--no-pager", "--quiet", "-n", "1", "-u", str(base.data["unit"])]
    return (await eyes.run(argv, limit=10_000)).status == 0


class FilePlace(Place):
    """The change of a file, and the restart of its unit."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._file = FileSteps(job, self.wrong)
        self._unit = str(job.data["unit"])

    def steps(self) -> tuple[LiveStep, ...]:
        """Write the file; restart the unit."""
        write = self._file.write_step()
        return (write, restart_step(self.job, 2)) if self._unit else (write,)

    def undo(self) -> tuple[LiveStep, ...]:
        """Put the old file back; restart the unit where it was restarted."""
        back = self._file.back_step()
        return (back, self._restart_again()) if self._unit else (back,)

    def _restart_again(self) -> LiveStep:
        unit, was = self._unit, str(self.job.data["was"])
        argv = as_root(before_of(self.job), ["systemctl", "restart", "--", unit], RESTART_LIMIT_S)

        async def run(hands: Hands) -> Done:
            if stamp(await properties(hands, unit)) == was:
                return Done(f"{unit} was never restarted: it runs with the old file")
            await change(hands, argv, timeout_s=RESTART_LIMIT_S)
            return Done(f"{unit} was restarted with the old file")

        async def settle(eyes: Eyes) -> Settled:
            return Settled.UNKNOWN  # one more start looks like the first one; the checks tell whether it runs

        return LiveStep(f"restart {unit} again", " ".join(argv), True, RESTART_LIMIT_S, None, run, settle)

    def checks(self) -> tuple[LiveCheck, ...]:
        """The file says so, and the unit stays up."""
        watch = STAYS_S if self._unit else FILE_WATCH_S

        async def sample(eyes: Eyes) -> Sample:
            found = await self._file.read(eyes)
            if found is None:
                return Sample(False, "the file is gone")
            wrong = self.wrong(self._file.values(found.text))
            return Sample(not wrong, wrong or f"{', '.join(sorted(self.expected))} as planned")

        in_force = LiveCheck("the settings are in force", watch, "the file says so", sample, every_s=5.0)
        return (in_force, *RestartUnit().checks(self.job)) if self._unit else (in_force,)

    def undo_checks(self) -> tuple[LiveCheck, ...]:
        """The file is as before, and the unit runs."""
        watch = STAYS_S // 3

        async def sample(eyes: Eyes) -> Sample:
            found = await self._file.read(eyes)
            same = found is not None and await self._file.is_old(found)
            return Sample(same, "its content, owner and mode are as before" if same else "it is not as before")

        before = LiveCheck("the file is as before", watch, "its content, its owner and its mode", sample, every_s=2.0)
        return (before, self._unit_runs(watch)) if self._unit else (before,)

    def _unit_runs(self, watch: int) -> LiveCheck:
        first: dict[str, str] = {}

        async def sample(eyes: Eyes) -> Sample:
            now = await properties(eyes, self._unit)
            said = f"{now.get('ActiveState')} ({now.get('SubState')}), pid {now.get('MainPID')}"
            up = now.get("ActiveState") == "active" and first.setdefault("stamp", stamp(now)) == stamp(now)
            return Sample(up, said)

        return LiveCheck(f"{self._unit} runs", watch, "active, with the same process all the while", sample, within_s=30.0)

    async def undo_guards(self, eyes: Eyes) -> tuple[Guard, ...]:
        """The old file is kept, and nobody edited the new one."""
        try:
            problem = await self._file.why_not_back(eyes)
        except SourceError as error:
            return (Guard("old_file", GuardStatus.UNKNOWN, str(error.problem)),)
        if problem:
            return (Guard("old_file", FAIL, problem),)
        return (Guard("old_file", PASS, "the old file is kept, and nothing else was changed in the new one", self._file.kept),)

    async def log_lines(self, eyes: Eyes) -> tuple[list[str], list[str]] | None:
        """Return the journal of the unit's last invocation, and of the present one."""
        if not self._unit:
            return None
        old = dict(row.partition("=")[::2] for row in str(self.job.data["was"]).split("\n")).get("InvocationID", "")
        new = (await properties(eyes, self._unit)).get("InvocationID", "")
        return await self._journal(eyes, old), await self._journal(eyes, new) if new != old else []

    async def _journal(self, eyes: Eyes, invocation: str) -> list[str]:
        if not invocation:
            return []
        argv = [*before_of(self.job), "journalctl", "--no-pager", "--quiet", "-o", "cat", "-n", str(LOG_LINES)]
        done = await eyes.run([*argv, f"_SYSTEMD_INVOCATION_ID={invocation}"])
        if done.status != 0:
            raise SourceError(Problem(f"the journal of {self._unit} cannot be read"))
        return done.stdout.decode("utf-8", "replace").splitlines()
