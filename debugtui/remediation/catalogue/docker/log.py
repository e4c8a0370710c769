"""Empties a runaway log file of a container, its tail saved first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar

from debugtui.config.redaction import redact
from debugtui.model.plan import DiffPart, Guard, Mitigation
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.text import line
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
    StaleError,
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.docker import guards
from debugtui.remediation.catalogue.docker.common import Box, find, refused, row_of, size_text
from debugtui.remediation.catalogue.docker.log_scripts import LOOK, SAVE, SIZE, TRUNCATE
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

#: Bytes of the log's end that are saved, and the room that takes at most when nothing of it can be compressed.
TAIL, ROOM = 50_000_000, 60_000_000

#: Seconds for saving, and for emptying.
SAVE_LIMIT, TRUNCATE_LIMIT = 120, 20

#: Status of the scripts where the file is another one.
_OTHER_FILE = 3


@dataclass(frozen=True, slots=True)
class File:
    """A log file as the host tells it. `how`: `plain`, `sudo`, `none`, or `link` where it is no regular file."""

    how: str
    inode: str = ""
    size: int = 0
    real: str = ""
    folder: str = ""
    free: int | None = None


class TruncateLog(Remediation):
    """`truncate -s 0` of a json-file log."""

    spec: ClassVar[Spec] = Spec(
        name="docker.truncate_log",
        title="Empty a log file",
        summary="A container's log fills the disk: save its last 50 MB, then empty it while the container runs on.",
        target="HOST/docker/NAME",
        parameters=(Parameter("save", "yes, or no: nothing of it is kept", required=False, default="yes"),),
        risk=(2, 3),
        undo=Undo.NONE,
        undo_says="what the file held before its saved tail is gone",
        guards=("json_file", "under_docker", "regular_file", "may_empty", "room_to_save", "logs_read"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """How large a log is stands in no reading: the plan looks."""
        found = row_of(view, target)
        if found is None:
            return None
        return Offer(self.spec.name, target, True, "where its log fills the disk; the plan tells its size", rank=90)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        save = params.get("save", "yes")
        if save not in ("yes", "no"):
            raise PlanError(f"save is yes or no, not {line(save, 40)!r}")
        box = await find(eyes, target)
        path, root = box.text("LogPath"), await _root(eyes)
        file = await _look(eyes, path) if path.startswith("/") else File("none")
        if file.inode and not file.size:
            raise NothingToDoError(f"the log of {box.shown} is empty")
        kept = f"its last {size_text(min(TAIL, file.size))} are saved first" if save == "yes" else "nothing of it is kept"
        after = f"0 bytes\n{kept}"
        return Draft(
            target=Target(target.host, "docker", box.name),
            problem=f"the log file of {box.shown} takes too much of the disk",
            solution=f"empty it while {box.shown} runs on; " + ("its tail is saved first" if save == "yes" else kept),
            factors=_factors(save == "yes"),
            identity={"id": box.id, "log": f"{line(path, 300)} ({file.inode or 'not seen'})"},
            data={
                "id": box.id,
                "name": box.name,
                "path": path,
                "inode": file.inode,
                "sudo": "sudo" if file.how == "sudo" else "",
                "folder": file.folder,
                "save": save == "yes",
            },
            diff=(DiffPart(f"log of {box.shown}", "text", f"{file.size} bytes ({size_text(file.size)})", after),),
            guards=(
                _json_file(box),
                _under_docker(path, root, file),
                _regular_file(file),
                _may_empty(file),
                _room(file, save=save == "yes"),
                await guards.logs_read(eyes, box),
            ),
            irreversible=("what the file held is gone" + (", but for its saved tail" if save == "yes" else ""),),
            mitigations=(
                Mitigation("", "max-size and max-file of the log driver bound it for good; that takes a new container"),
            ),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Save the tail, then empty it."""
        return (_save(job), _truncate(job)) if job.data["save"] else (_truncate(job),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """There is none."""
        return ()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It is smaller, and the engine still reads and writes it."""
        return (_smaller(job), _readable(str(job.data["id"])))

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Nothing to check."""
        return ()


async def _root(eyes: Eyes) -> str:
    from debugtui.sources.docker.client import AnswerError

    try:
        info = await (await eyes.docker()).get_json("info")
    except AnswerError as error:
        raise refused(error) from None
    root = info.get("DockerRootDir") if isinstance(info, dict) else None
    return root if isinstance(root, str) else ""


async def _look(eyes: Eyes, path: str) -> File:
    done = await eyes.run(["sh", "-c", LOOK, "debugtui", path])
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    if len(lines) < 5 or done.status:
        return File(lines[0] if lines and lines[0] == "link" else "none")
    free = lines[5] if len(lines) > 5 else ""
    size = int(lines[2]) if lines[2].isdigit() else 0
    return File(lines[0], lines[1], size, lines[3], lines[4], int(free) if free.isdigit() else None)


def _factors(save: bool) -> Factors:
    data = Factor(1, "its tail is saved") if save else Factor(2, "log lines are lost, and nothing of them is saved")
    return Factors(
        interruption=Factor(0, "the container runs on, and writes on"),
        reversibility=Factor(4, "what was in the file does not come back"),
        durable_data=data,
        blast_radius=Factor(1, "one container's log"),
        blocking=Factor(0, "nothing waits for it"),
        verifiability=Factor(0, "the file's size, and the engine's own reading of it"),
    )


def _json_file(box: Box) -> Guard:
    driver = line(box.text("HostConfig", "LogConfig", "Type"), 40)
    if driver == "json-file":
        return Guard("json_file", guards.PASS, "its log is a file of lines that may be emptied", "LogConfig.Type is json-file")
    return Guard("json_file", guards.FAIL, f"its log driver is {driver or 'unknown'}, not json-file", "LogConfig.Type")


def _under_docker(path: str, root: str, file: File) -> Guard:
    name = "under_docker"
    says = f"{line(path, 300) or 'no LogPath'}; DockerRootDir is {line(root, 200) or 'not told'}"
    if not path or not root.startswith("/"):
        return Guard(name, guards.FAIL, "the engine does not tell where the log lies", says)
    inside = PurePosixPath(path).is_relative_to(PurePosixPath(root) / "containers") and ".." not in PurePosixPath(path).parts
    if not inside:
        return Guard(name, guards.FAIL, "the log does not lie where the engine keeps logs", says)
    if file.real and PurePosixPath(file.real).name != PurePosixPath(path).name:
        return Guard(name, guards.FAIL, "the path leads to another file", f"{says}; it leads to {line(file.real, 300)}")
    return Guard(name, guards.PASS, "the log lies where the engine keeps logs", says)


def _regular_file(file: File) -> Guard:
    if file.how == "link":
        return Guard("regular_file", guards.FAIL, "the log is no regular file", "test -f, test -L, just now")
    if not file.inode:
        return Guard("regular_file", guards.UNKNOWN, "the log file cannot be seen from the host", "test -f, just now")
    return Guard(
        "regular_file", guards.PASS, "a regular file, no link", f"inode {file.inode}, {file.size} bytes, read just now"
    )


def _may_empty(file: File) -> Guard:
    if file.how == "plain":
        return Guard("may_empty", guards.PASS, "our account may write to it", "test -w, just now")
    if file.how == "sudo":
        return Guard("may_empty", guards.PASS, "our account may write to it by sudo without a password", "sudo -n, just now")
    return Guard("may_empty", guards.FAIL, "our account may not write to it, and sudo asks for a password", "test -w, just now")


def _room(file: File, *, save: bool) -> Guard:
    name = "room_to_save"
    if not save:
        return Guard(name, guards.PASS, "nothing is saved", "save=no")
    wanted = min(ROOM, file.size)
    if file.free is None:
        return Guard(name, guards.UNKNOWN, "how much is free for the saved tail is not known", critical=False)
    says = f"{size_text(file.free)} free for {line(file.folder, 200)}, {size_text(wanted)} wanted at most, read just now"
    if file.free < wanted:
        return Guard(name, guards.FAIL, "there is no room for the saved tail; save=no saves nothing", says)
    return Guard(name, guards.PASS, "there is room for the saved tail", says)


def _saved_as(job: Job) -> str:
    return f"{job.data['name']}-{job.mark}.log.gz"


def _save(job: Job) -> LiveStep:
    data = job.data
    name, folder = _saved_as(job), str(data["folder"])
    argv = ["sh", "-c", SAVE, "debugtui", str(data["sudo"]), str(data["path"]), folder, name, str(TAIL)]
    target = f"{folder}/{name}"

    async def run(hands: Hands) -> Done:
        done = await hands.command(argv, timeout_s=SAVE_LIMIT - 10)
        words = done.stdout.decode("utf-8", "replace").split()
        if done.status or not words or not words[0].isdigit():
            says = redact(line(done.stderr, 300)) or f"status {done.status}"
            raise StepError(f"the tail could not be saved: {says}", changed=False)
        return Done(f"saved {size_text(int(words[0]))} as {target}", {"saved": target})

    async def settle(eyes: Eyes) -> Settled:
        return Settled.DONE if await _size(eyes, "", target) is not None else Settled.NOT_DONE

    command = f"tail -c {TAIL} {data['path']} | gzip > {target}"
    return LiveStep("Save the log's tail", _sudo(data, command), True, SAVE_LIMIT, None, run, settle)


def _truncate(job: Job) -> LiveStep:
    data = job.data
    path, sudo = str(data["path"]), str(data["sudo"])
    argv = ["sh", "-c", TRUNCATE, "debugtui", sudo, path, str(data["inode"])]

    async def run(hands: Hands) -> Done:
        done = await hands.command(argv, timeout_s=TRUNCATE_LIMIT - 5)
        words = done.stdout.decode("utf-8", "replace").strip()
        if done.status == _OTHER_FILE:
            raise StaleError(f"the log is {line(words, 100)}")
        sizes = words.split()
        if done.status or len(sizes) != 2 or not all(one.isdigit() for one in sizes):
            raise StepError(f"it could not be emptied: {redact(line(done.stderr, 300))}", changed=None)
        facts: dict[str, Any] = {"before": int(sizes[0])}
        return Done(f"emptied: {size_text(int(sizes[0]))} before, {size_text(int(sizes[1]))} right after", facts)

    async def settle(eyes: Eyes) -> Settled:
        return Settled.UNKNOWN  # how large it was right before is not known

    command = _sudo(data, f"truncate -s 0 {path}")
    return LiveStep("Empty the log", command, True, TRUNCATE_LIMIT, None, run, settle)


def _sudo(data: Mapping[str, object], command: str) -> str:
    return f"sudo -n {command}" if data["sudo"] else command


async def _size(eyes: Eyes, sudo: str, path: str) -> int | None:
    done = await eyes.run(["sh", "-c", SIZE, "debugtui", sudo, path])
    text = done.stdout.decode("ascii", "replace").strip()
    return int(text) if not done.status and text.isdigit() else None


def _smaller(job: Job) -> LiveCheck:
    data, before = job.data, job.results.get("before")
    saved = job.results.get("saved")

    async def sample(eyes: Eyes) -> Sample:
        size = await _size(eyes, str(data["sudo"]), str(data["path"]))
        if size is None or not isinstance(before, int):
            return Sample(None, "its size is not known")
        if saved and not await _size(eyes, "", str(saved)):
            return Sample(False, "the saved tail is gone")
        return Sample(size < before, f"{size_text(size)}, {size_text(before)} before")

    return LiveCheck("the log is small again", 10, "its size, seen on the host; the saved tail is there", sample)


def _readable(identity: str) -> LiveCheck:
    async def sample(eyes: Eyes) -> Sample:
        from debugtui.sources.docker.logs import read_logs

        lines = 0
        async for batch in read_logs(await eyes.docker(), identity, tail=5, since=None, follow=False):
            lines += len(batch)
        return Sample(True, f"the engine reads it: {lines} lines of the newest 5")

    return LiveCheck("the engine still reads the log", 10, "docker logs works", sample)
