"""What the demo's hosts answer to a command. Nothing is ever executed: each known command has an answer made here."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from debugtui.demo import looks
from debugtui.demo.cast import HostPart
from debugtui.hosts import sockets
from debugtui.sources.libvirt import console

#: Most bytes read of a file.
FILE_LIMIT = 4_000_000
USER = "ops"

_ENVIRONMENT = {
    "HOME": f"/home/{USER}",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "SHELL": "/bin/bash",
    "USER": USER,
    "XDG_RUNTIME_DIR": "/run/user/1000",
}
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_ID = f"uid=1000({USER}) gid=1000({USER}) groups=1000({USER}),64055(libvirt),998(docker)\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command left."""

    stdout: bytes = b""
    stderr: bytes = b""
    status: int = 0


#: Answers a script given to `sh -c`, with its arguments; None where it does not know the script.
ScriptAnswer = Callable[[str, Sequence[str]], Answer | None]


class Shell:
    """One host's answers. Files and sockets are those of the host's own folder, nothing else of the machine can be seen."""

    def __init__(
        self, host: HostPart, folder: Path, sockets_there: Callable[[], frozenset[str]], *scripts: ScriptAnswer
    ) -> None:
        """Prepare.

        Args:
            host: who answers.
            folder: the one folder whose files may be read.
            sockets_there: the sockets that may be seen.
            scripts: answer the scripts of the sources.
        """
        self._host, self._folder, self._sockets, self._scripts = host, folder.resolve(), sockets_there, scripts

    def also(self, scripts: ScriptAnswer) -> None:
        """Let somebody answer more scripts."""
        self._scripts = (*self._scripts, scripts)

    def argv(self, words: Sequence[str]) -> Answer:
        """Answer a command given as an argument list."""
        return self._argv(words)

    def run(self, command: str) -> Answer:
        """Answer a command line."""
        try:
            words = shlex.split(command)
        except ValueError as error:
            return Answer(stderr=f"sh: syntax error: {error}\n".encode(), status=2)
        return self._argv(words)

    def _argv(self, words: Sequence[str]) -> Answer:
        words = _without_prefixes(list(words))
        if not words:
            return Answer()
        name, arguments = PurePosixPath(words[0]).name, words[1:]
        known: dict[str, Callable[[Sequence[str]], Answer]] = {
            "sh": self._sh,
            "id": self._id,
            "whoami": lambda _: _text(USER),
            "hostname": lambda _: _text(self._host.name),
            "uname": lambda options: _text("6.1.0-27-amd64" if "-r" in options else "Linux"),
            "true": lambda _: Answer(),
            "false": lambda _: Answer(status=1),
            "echo": lambda rest: _text(" ".join(rest)),
            "date": lambda _: _text(str(int(time.time()))),
            "printenv": _printenv,
            "test": self._test,
            "tail": self._tail,
            "cat": self._cat,
            "ls": self._ls,
            "stat": self._stat,
        }
        if name in looks.ANSWERS:
            return Answer(looks.ANSWERS[name].encode())
        if name not in known:
            return Answer(stderr=f"sh: 1: {name}: not found\n".encode(), status=127)
        return known[name](arguments)

    def _sh(self, arguments: Sequence[str]) -> Answer:
        if len(arguments) < 2 or arguments[0] not in ("-c", "-ec"):
            return _refused("sh")
        script, rest = arguments[1], arguments[3:]
        if script == sockets.SCRIPT:
            return self._probe(rest[0] if rest else "")
        for answer in self._scripts:
            known = answer(script, rest)
            if known is not None:
                return known
        if script == console.SCRIPT and len(rest) == 4:
            return self._console(rest[0], *(int(number) if number.isdigit() else 0 for number in rest[1:]))
        if "echo kill" in script and "timeout -k" in script:
            return _text("kill")  # the link asks which time limiter there is: the one that can kill
        # A wrapper such as `exec "$@"` stands before the real command.
        if '"$@"' in script and rest:
            return self._argv(rest)
        if "\n" not in script and not set(script) & set("$`|;&<>()"):
            return self.run(script)
        return _refused("sh -c")

    def _probe(self, path: str) -> Answer:
        if path in self._sockets():
            return _text(f"listening\nsrw-rw---- 1 root docker 0 Nov 20 09:12 {path}\n{USER}")
        return _text(f"missing\n-\n{USER}")

    def _id(self, options: Sequence[str]) -> Answer:
        if not options:
            return Answer(_ID.encode())
        wanted = "".join(option.lstrip("-") for option in options)
        if "G" in wanted:
            return _text(f"{USER} libvirt docker" if "n" in wanted else "1000 64055 998")
        return _text(USER if "n" in wanted else "1000")

    # Files

    def _inside(self, name: str) -> Path | None:
        path = Path(name)
        try:
            real = path.resolve()
        except (OSError, RuntimeError, ValueError):
            return None
        return real if path.is_absolute() and real.is_relative_to(self._folder) else None

    def _test(self, arguments: Sequence[str]) -> Answer:
        if len(arguments) != 2:
            return _refused("test")
        option, name = arguments
        path = self._inside(name)
        checks: dict[str, Callable[[Path], bool]] = {
            "-e": Path.exists,
            "-f": Path.is_file,
            "-d": Path.is_dir,
            "-r": Path.is_file,
            "-S": Path.is_socket,
            "-s": lambda file: file.is_file() and file.stat().st_size > 0,
        }
        return Answer(status=0 if path is not None and option in checks and checks[option](path) else 1)

    def _tail(self, arguments: Sequence[str]) -> Answer:
        count, names, unit = 10, [], "n"
        rest = list(arguments)
        while rest:
            word = rest.pop(0)
            match = re.fullmatch(r"-([cn])(\d*)", word)
            if match:
                number = match[2] or (rest.pop(0) if rest else "")
                if not number.isdigit():
                    return _refused("tail")
                unit, count = match[1], int(number)
            elif word in ("--", "-q"):
                continue
            else:
                names.append(word)
        if len(names) != 1:
            return _refused("tail")
        data = self._read(names[0])
        if data is None:
            return _missing("tail: cannot open", names[0])
        if unit == "c":
            return Answer(data[-count:] if count else b"")
        return Answer(b"".join(data.splitlines(keepends=True)[-count:] if count else []))

    def _console(self, name: str, inode: int, position: int, limit: int) -> Answer:
        """Answer the question for a piece of a console's log: see the script."""
        path, data = self._inside(name), self._read(name)
        if path is None or data is None:
            return Answer(status=3)
        now = path.stat().st_ino
        start = position if inode == now and position <= len(data) else 0
        start = max(start, len(data) - limit)
        return Answer(f"{now} {start} {len(data)}\n".encode() + data[start:])

    def _cat(self, names: Sequence[str]) -> Answer:
        parts: list[bytes] = []
        for name in names:
            data = self._read(name)
            if data is None:
                return _missing("cat:", name)
            parts.append(data)
        return Answer(b"".join(parts))

    def _read(self, name: str) -> bytes | None:
        path = self._inside(name)
        if path is None or not path.is_file():
            return None
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - FILE_LIMIT))
            return file.read(FILE_LIMIT)

    def _ls(self, arguments: Sequence[str]) -> Answer:
        names = [word for word in arguments if not word.startswith("-")]
        lines: list[str] = []
        for name in names:
            path = self._inside(name)
            if path is None or not path.exists():
                return _missing("ls: cannot access", name)
            lines += sorted(child.name for child in path.iterdir()) if path.is_dir() else [name]
        return _text("\n".join(lines))

    def _stat(self, arguments: Sequence[str]) -> Answer:
        name = arguments[-1] if arguments else ""
        path = self._inside(name)
        if path is None or not path.exists():
            return _missing("stat: cannot statx", name)
        return _text(str(path.stat().st_size)) if "%s" in arguments else _refused("stat")


def _without_prefixes(words: list[str]) -> list[str]:
    """Take off `exec`, `env`, `VAR=value` and `timeout [options] SECONDS`: the commands behind them are what counts."""
    while words:
        head = PurePosixPath(words[0]).name
        if head in ("exec", "env", "nice", "command") or _ASSIGNMENT.match(words[0]):
            words = words[1:]
            while head in ("env", "nice") and words and words[0] in ("-i", "-n"):
                words = words[2:] if words[0] == "-n" else words[1:]
        elif head == "timeout":
            words = words[1:]
            while words and words[0].startswith("-"):
                words = words[2:] if words[0] in ("-k", "-s") else words[1:]
            words = words[1:]
        else:
            return words
    return words


def _printenv(names: Sequence[str]) -> Answer:
    if not names:
        return _text("\n".join(f"{name}={value}" for name, value in _ENVIRONMENT.items()))
    values = [_ENVIRONMENT[name] for name in names if name in _ENVIRONMENT]
    return Answer("".join(f"{value}\n" for value in values).encode(), status=0 if len(values) == len(names) else 1)


def _text(text: str) -> Answer:
    return Answer(f"{text}\n".encode())


def _missing(says: str, name: str) -> Answer:
    return Answer(stderr=f"{says} '{name}': No such file or directory\n".encode(), status=1)


def _refused(name: str) -> Answer:
    return Answer(stderr=f"{name}: the demo's hosts do not know this use of the command\n".encode(), status=126)
