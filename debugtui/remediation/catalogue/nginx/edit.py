"""Change a file of an nginx: test it, take it, see that it was taken; else the old bytes again."""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import replace

from debugtui.model.plan import DiffPart, Guard, GuardStatus, Mitigation
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.text import clean, line
from debugtui.remediation.base import (
    DeadMan,
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
from debugtui.remediation.catalogue.nginx import common
from debugtui.remediation.catalogue.nginx.common import LIMIT_S, STALE, Seen
from debugtui.remediation.catalogue.system.common import as_root, before_of
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.nginx.describe import Described, describe
from debugtui.sources.nginx.fetch import File, Files, tree_of

#: Seconds after which the host takes the old file again by itself, where nobody tells it that all is well.
REVERTS_AFTER_S = 90

# Arguments: file, its SHA-256 as seen, SHA-256 of the new content, backup; the new content on standard input. The new file is
# whole, with the owner and the mode of the old one, before it gets the name. Its name begins with a dot: no include means it.
WRITE = rf"""
set -u
umask 077
file=$1 was=$2 new=$3 backup=$4
sum() {{ sha256sum < "$1" | cut -d' ' -f1; }}
next=$(mktemp "$(dirname "$file")/.debugtui-XXXXXX") || exit 1
trap 'rm -f "$next"' EXIT
cat > "$next" || exit 1
[ "$(sum "$next")" = "$new" ] || {{ echo "the new content did not arrive whole" >&2; exit 1; }}
chown --reference="$file" "$next" && chmod --reference="$file" "$next" || exit 1
[ "$(sum "$file")" = "$was" ] || {{ echo "the file was changed by somebody else"; exit {STALE}; }}
[ -e "$backup" ] || cp -p -- "$file" "$backup" || exit 1
[ "$(sum "$backup")" = "$was" ] || {{ echo "the backup is not what the file was" >&2; exit 1; }}
sync "$next" "$backup" 2>/dev/null
mv -f -- "$next" "$file"
"""

# Arguments: file, SHA-256 of the old content, SHA-256 of the new one, backup. Restores the old bytes where the file holds the
# new ones; harmless where it does not, and said where it holds something else.
RESTORE = r"""
set -u
umask 077
file=$1 was=$2 new=$3 backup=$4
sum() { sha256sum < "$1" | cut -d' ' -f1; }
now=$(sum "$file")
[ "$now" = "$was" ] && exit 0
[ "$now" = "$new" ] || { echo "the file was changed since, by somebody else" >&2; exit 1; }
[ "$(sum "$backup")" = "$was" ] || { echo "the backup is gone or was changed" >&2; exit 1; }
next=$(mktemp "$(dirname "$file")/.debugtui-XXXXXX") || exit 1
trap 'rm -f "$next"' EXIT
cp -p -- "$backup" "$next" && mv -f -- "$next" "$file"
"""

# As RESTORE, then the test and the reload; what the host does by itself.
REVERT = (
    RESTORE
    + f"""
PATH=$PATH:{common.PLACES}
pid=$5
main=$6
shift 6
nginx "$@" -t -q -c "$main" && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = nginx ] && kill -HUP "$pid"
"""
)


def digest(text: str) -> str:
    """Return the SHA-256 of a text's bytes, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


class EditConfig(Remediation):
    """See the module."""

    spec = Spec(
        name="nginx.edit_config",
        title="Change a file of its configuration",
        summary="Replaces one file of an nginx's configuration, tests it, reloads, and proves that the reload took.",
        target="HOST/nginx/NAME",
        parameters=(
            Parameter("file", "the file to change, on the host"),
            Parameter("from", "the file with the new content, on this machine"),
        ),
        risk=(1, 3),
        undo=Undo.EXACT,
        undo_says="The old bytes with their owner and mode, tested and reloaded.",
        guards=("file_of_nginx", "parses", "runs", "tested_now", "ports_free", "privilege"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """Any nginx."""
        if target.kind != "nginx":
            return None
        return Offer(self.spec.name, target, True, "takes a file with the new content", rank=60)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Read the new content, and look at the file and at the nginx."""
        new = await asyncio.to_thread(common.read_local, params["from"])
        seen = await common.see(eyes, target)
        return await draft_edit(eyes, target, seen, params["file"], lambda _old: new, "its configuration needs a change")

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Write, test, reload."""
        return edit_steps(job, lambda _old: common.read_local(job.params["from"]))

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """The old bytes, reloaded."""
        return edit_undo(job)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The reload took, and the file is the new one."""
        return (*common.reload_checks(job), file_check(job, "new", "the file is the new one"))

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The file is as before, and the reload took."""
        return (*common.reload_checks(job, back=True), file_check(job, "was", "the file is as before"))


# --- the draft of any change of one file


async def draft_edit(eyes: Eyes, target: Target, seen: Seen, path: str, change: object, problem: str) -> Draft:
    """Return the draft of a change of one file.

    Args:
        eyes: of the host.
        target: as asked for.
        seen: the nginx.
        path: of the file.
        change: makes the new text of the old one.
        problem: one sentence.

    Raises:
        PlanError: the file is none of this nginx's, or would not change.
    """
    assert callable(change)  # noqa: S101 - a function of one text
    file, real = await _file_of(eyes, seen, path)
    new = change(file.text)
    if new == file.text:
        raise NothingToDoError(f"{file.path} holds exactly this already")
    before, may = await common.may(eyes)
    parses, described = await asyncio.to_thread(_parsed, seen, file, new)
    name = line(posixpath.basename(file.path), 100)
    backup = f"/var/tmp/debugtui-{digest(file.path)[:12]}-{file.digest[:16]}"  # noqa: S108 - on the host, umask 077, checked by its sum
    return Draft(
        target=Target(target.host, "nginx", seen.name),
        problem=problem,
        solution=f"replace {name} ({len(new.splitlines())} lines), test it, reload, and see new workers",
        factors=_factors(seen),
        identity={"file": real, "sha256": file.digest, "master": str(seen.look.master), "started": seen.started},
        data={**seen.data(before), "file": real, "was": file.digest, "new": digest(new), "backup": backup},
        diff=(DiffPart(file.path, "text", common.shown(file.text), common.shown(new)),),
        guards=(
            Guard(
                "file_of_nginx",
                GuardStatus.PASS,
                f"{seen.config} includes it",
                f"{len(seen.files.by_path)} files, read just now",
            ),
            parses,
            common.running(seen),
            await common.tested(eyes, seen, before),
            common.ports(seen, described),
            may,
        ),
        mitigations=(Mitigation("", "try the new file on another machine with nginx -t first"),),
        expected=tuple(Target(target.host, "web", web.name) for web in common.web_of(eyes, seen.config)),
    )


async def _file_of(eyes: Eyes, seen: Seen, path: str) -> tuple[File, str]:
    """Return a file of the configuration, and where it really lies."""
    file = seen.files.by_path.get(posixpath.normpath(path))
    if file is None:
        listed = ", ".join(sorted(seen.files.by_path)[:12])
        raise PlanError(f"{line(path, 200)} is none of the files of {seen.config} (there are: {listed})")
    done = await eyes.run(["readlink", "-f", "--", file.path], limit=5_000)
    real = done.stdout.decode("utf-8", "replace").rstrip("\n")
    return file, real if done.status == 0 and real.startswith("/") else file.path


def _parsed(seen: Seen, file: File, new: str) -> tuple[Guard, Described]:
    """Parse the configuration as it would be."""
    files = {**seen.files.by_path, file.path: replace(file, text=new)}
    tree = tree_of(Files(seen.files.main, files, seen.files.matched))
    described = describe(tree, posixpath.dirname(seen.config))
    if tree.problems:
        says = line(tree.problems[0], 250)
        return Guard("parses", GuardStatus.FAIL, f"the new configuration cannot be read: {says}", "crossplane"), described
    return Guard(
        "parses", GuardStatus.PASS, "the new configuration can be read whole", f"{len(files)} files, crossplane"
    ), described


def _factors(seen: Seen) -> Factors:
    names = sum(len(server.names) for server in seen.described.servers)
    return Factors(
        interruption=Factor(1, "a reload keeps connections; old workers end when theirs are done"),
        reversibility=Factor(0, "the old bytes are kept, and taken back exactly"),
        durable_data=Factor(0, "no data is touched"),
        blast_radius=Factor(2, f"every site of this nginx: {len(seen.described.servers)} servers, {names} names"),
        blocking=Factor(0, "it takes no lock"),
        verifiability=Factor(0, "workers, log and pages are seen directly"),
    )


# --- steps and checks of any change of one file


def edit_steps(job: Job, content: object) -> tuple[LiveStep, ...]:
    """Return the steps: write the new content (made by `content` of the old one), test, reload."""
    assert callable(content)  # noqa: S101 - a function of one text
    data = job.data
    words = [str(data[name]) for name in ("file", "was", "new", "backup")]
    argv = as_root(before_of(job), ["sh", "-c", WRITE, "debugtui-write", *words], LIMIT_S)

    async def run(hands: Hands) -> Done:
        read = await hands.run(as_root(before_of(job), ["cat", "--", words[0]], LIMIT_S), limit=400_000)
        new = await asyncio.to_thread(content, read.stdout.decode("utf-8", "replace"))
        if digest(new) != words[2]:
            raise StaleError("the new content is not what was approved")
        done = await hands.command(argv, timeout_s=LIMIT_S, stdin=new.encode())
        said = line(clean(done.stdout).strip() or clean(done.stderr).strip(), 300)
        if done.status == STALE:
            raise StaleError(said)
        if done.status != 0:
            raise StepError(f"the file could not be written: {said or 'no word'}")
        return Done(f"written; the old one is {words[3]}")

    async def settle(eyes: Eyes) -> Settled:
        now = await file_digest(eyes, job)
        return Settled.DONE if now == words[2] else Settled.NOT_DONE if now == words[1] else Settled.UNKNOWN

    revert = [*words, str(data["master"]), str(data["config"]), *_prefix(job)]
    dead_man = DeadMan(
        tuple(as_root(before_of(job), ["sh", "-c", REVERT, "debugtui-revert", *revert], LIMIT_S)), REVERTS_AFTER_S
    )
    command = f"write {words[0]} (sha256 {words[2][:16]}...), keep the old one as {words[3]}"
    write = LiveStep("Write the new file", command, True, LIMIT_S, f"restore {words[3]}", run, settle, dead_man)
    return (write, common.test_step(job), common.reload_step(job))


def _prefix(job: Job) -> list[str]:
    value = job.data["prefix"]
    return [str(word) for word in value] if isinstance(value, list) else []


def edit_undo(job: Job) -> tuple[LiveStep, ...]:
    """Return the rollback: the old bytes, then a reload."""
    words = [str(job.data[name]) for name in ("file", "was", "new", "backup")]
    argv = as_root(before_of(job), ["sh", "-c", RESTORE, "debugtui-restore", *words], LIMIT_S)

    async def run(hands: Hands) -> Done:
        done = await hands.command(argv, timeout_s=LIMIT_S)
        if done.status != 0:
            said = line(clean(done.stderr).strip() or clean(done.stdout).strip(), 300)
            raise StepError(f"the old file could not be restored: {said or 'no word'}")
        return Done("the old bytes are back")

    async def settle(eyes: Eyes) -> Settled:
        return Settled.DONE if await file_digest(eyes, job) == words[1] else Settled.NOT_DONE

    restore = LiveStep("Restore the old file", f"cp -p {words[3]} {words[0]}", True, LIMIT_S, None, run, settle)
    return (restore, common.reload_step(job, back=True))


async def file_digest(eyes: Eyes, job: Job) -> str:
    """Return the SHA-256 of the file as it is now; empty where it cannot be read."""
    argv = as_root(before_of(job), ["sha256sum", "--", str(job.data["file"])], LIMIT_S)
    done = await eyes.run(argv, limit=5_000)
    return done.stdout.decode("ascii", "replace").lstrip("\\").partition(" ")[0] if done.status == 0 else ""


def file_check(job: Job, name: str, title: str) -> LiveCheck:
    """Return the check that the file holds the bytes with the digest `data[name]`."""
    wanted = str(job.data[name])

    async def sample(eyes: Eyes) -> Sample:
        now = await file_digest(eyes, job)
        if not now:
            return Sample(None, "the file cannot be read")
        return Sample(now == wanted, f"sha256 {now[:16]}...")

    return LiveCheck(title, 0, "somebody else may write it too", sample, within_s=5.0)
