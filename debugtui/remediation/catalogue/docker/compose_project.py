"""A Compose project on a host: its file, its tool, what the tool makes of a file's text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from debugtui.config.redaction import redact
from debugtui.model.text import line
from debugtui.remediation.base import PlanError
from debugtui.remediation.catalogue.docker.common import PROJECT_LABEL, SERVICE_LABEL, Box, containers, look
from debugtui.remediation.eyes import Eyes

#: Seconds that the tool may take to read a file, and largest file (bytes).
READ_LIMIT, LONGEST = 20.0, 1_000_000

# Argument: the engine's socket. Says which tool is there: 2 (docker compose), 1 (docker-compose) or none, and its version.
PROBE = r"""
export DOCKER_HOST="unix://$1"
if version=$(docker compose version --short 2> /dev/null); then echo "2 $version"
elif version=$(docker-compose version --short 2> /dev/null); then echo "1 $version"
else echo none
fi
"""

# Arguments: the file, where its present content is kept, SHA-256 of that, SHA-256 of the new one. Standard input: the new one.
REPLACE = r"""
[ -f "$1" ] && [ ! -L "$1" ] || { echo "no regular file"; exit 3; }
[ "$(sha256sum < "$1" | cut -c 1-64)" = "$3" ] || { echo "changed since"; exit 3; }
umask 077
cp -p -- "$1" "$2" || exit 4
new=$1.debugtui-new
cp -p -- "$1" "$new" && cat > "$new" || exit 4
[ "$(sha256sum < "$new" | cut -c 1-64)" = "$4" ] || { rm -f -- "$new"; exit 5; }
mv -f -- "$new" "$1"
"""

# Arguments: the file, where its content from before is kept, SHA-256 of that. Does nothing where it is that already.
RESTORE = r"""
if [ "$(sha256sum < "$1" | cut -c 1-64)" = "$3" ]; then echo already; exit 0; fi
[ "$(sha256sum < "$2" | cut -c 1-64)" = "$3" ] || { echo "the kept file is gone or changed"; exit 3; }
new=$1.debugtui-new
cp -p -- "$2" "$new" && mv -f -- "$new" "$1" && echo restored
"""

# Argument: a file. Says its SHA-256.
SUM = '[ -f "$1" ] && [ ! -L "$1" ] && sha256sum < "$1" | cut -c 1-64\n'


@dataclass(frozen=True, slots=True)
class Project:
    """A Compose project.

    Attributes:
        name: its name.
        folder: where relative paths of its file begin.
        path: its file.
        tool: 2 for `docker compose`, 1 for `docker-compose`, 0 where the host has neither.
        version: the tool's.
        socket: the engine's.
    """

    name: str
    folder: str
    path: str
    tool: int
    version: str
    socket: str

    def argv(self, file: str, *words: str) -> list[str]:
        """Return a command of the tool about a file; `-` is standard input."""
        program = ["docker", "compose"] if self.tool == 2 else ["docker-compose"]
        where = ["-f", file, "--project-directory", self.folder, "-p", self.name]
        return ["env", f"DOCKER_HOST=unix://{self.socket}", *program, *where, *words]

    def up(self, service: str) -> list[str]:
        """Return the command that makes one service as the file has it, and touches no other. The old tool has no `--pull`."""
        pull = ["--pull", "never"] if self.tool == 2 else []
        return self.argv(self.path, "up", "-d", "--no-deps", "--no-build", *pull, service)


async def project_of(eyes: Eyes, box: Box) -> Project:
    """Find the project of a container by its labels.

    Raises:
        PlanError: it has none, or one of several files.
    """
    folder = box.label("com.docker.compose.project.working_dir")
    files = [part for part in box.label("com.docker.compose.project.config_files").split(",") if part]
    if not box.project or not box.service or not folder.startswith("/") or not files:
        raise PlanError(f"{box.shown} was not made by Compose, or does not tell by which file")
    if len(files) > 1:
        raise PlanError(
            f"the project {line(box.project, 80)} is made of {len(files)} files: only a single one can be changed here"
        )
    done = await eyes.run(["sh", "-c", PROBE, "debugtui", eyes.docker_socket])
    words = done.stdout.decode("utf-8", "replace").split()
    tool = int(words[0]) if words and words[0] in ("1", "2") else 0
    path = str(PurePosixPath(folder) / files[0])
    return Project(box.project, folder, path, tool, line(words[1], 40) if len(words) > 1 else "", eyes.docker_socket)


async def content_of(eyes: Eyes, path: str) -> bytes | None:
    """Return a file of the host; None where it cannot be read."""
    done = await eyes.run(["cat", "--", path], limit=LONGEST + 1)
    return None if done.status or done.truncated or len(done.stdout) > LONGEST else done.stdout


def sum_of(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class Rendered:
    """What the tool makes of a file, variables and env files included: may hold secrets.

    Attributes:
        services: the text of each service.
        rest: everything else.
    """

    services: dict[str, str]
    rest: str

    def __repr__(self) -> str:
        return f"Rendered({', '.join(self.services)})"

    def image(self, service: str) -> str:
        """Return the image that a service names; empty where it names none."""
        match = re.search(r"^    image: (.+)$", self.services.get(service, ""), re.MULTILINE)
        return match[1].strip().strip("'\"") if match else ""


async def render(eyes: Eyes, project: Project, content: bytes) -> Rendered | str:
    """Have the tool read a file's text; return what it makes of it, or its words where it refuses."""
    done = await eyes.link.run(project.argv("-", "config"), timeout=READ_LIMIT, stdin=content, limit=4_000_000)
    if done.status:
        lines = [text for text in done.stderr.decode("utf-8", "replace").splitlines() if text.strip()]
        return redact(line(" ".join(lines[-3:]), 300)) or f"status {done.status}"
    return parse_rendered(done.stdout.decode("utf-8", "replace"))


def parse_rendered(text: str) -> Rendered:
    """Take the tool's YAML apart by its indentation, which it writes the same way always: services by two spaces."""
    services: dict[str, list[str]] = {}
    rest: list[str] = []
    inside, name = False, ""
    for one in text.splitlines():
        if one and not one.startswith(" "):
            inside, name = one.rstrip() == "services:", ""
        if not inside:
            rest.append(one)
        elif match := re.fullmatch(r"  (\S.*):", one):
            name = match[1].strip("'\"")
            services[name] = []
        elif name:
            services[name].append(one)
    return Rendered({key: "\n".join(lines) for key, lines in services.items()}, "\n".join(rest).strip())


async def expected_hash(eyes: Eyes, project: Project, service: str) -> str:
    """Return the hash that a container of the service carries when it is as the file on the host says; empty: not known."""
    done = await eyes.run(project.argv(project.path, "config", "--hash", service), timeout=READ_LIMIT)
    words = done.stdout.decode("utf-8", "replace").split()
    return words[1] if not done.status and len(words) >= 2 and words[0] == service else ""


async def members(eyes: Eyes, project: str, service: str) -> list[Box]:
    """Return the containers of a service."""
    client = await eyes.docker()
    found: list[Box] = []
    for entry in await containers(client):
        labels = entry.get("Labels") or {}
        if (labels.get(PROJECT_LABEL), labels.get(SERVICE_LABEL)) == (project, service):
            box = await look(client, str(entry["Id"]))
            if box is not None:
                found.append(box)
    return sorted(found, key=lambda box: box.id)


def shown(argv: Sequence[str]) -> str:
    """Return a command to show."""
    import shlex

    return shlex.join(argv)
