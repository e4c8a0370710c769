"""The lab's stand-ins for systemctl and journalctl: small programs that keep their state in files, where systemd is not PID 1.

They speak as much of the real ones as the repairs of a host use: options, output, status 0 whatever the unit does a moment
later, `LoadState=not-found` with status 0 for what does not exist, archived and active journal files of which only archived
ones are removed. Each can be told to misbehave as the real ones are known to. What is proved with them is our own part, not
systemd's.

Units are JSON files; what a unit is at a moment follows from when it was started and how it behaves:
`good` stays up, `dies` ends by itself with a failure, `flaps` is started again and again by systemd, `fails` cannot be started,
`nothing` is not restarted although systemctl returns 0, `once` is a oneshot that ends well.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

MB = 1 << 20


class Units:
    """The units of one private host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "units"
        self.folder.mkdir(parents=True, exist_ok=True)

    def put(self, name: str, behaviour: str = "good", *, active: bool = True, dies_s: float = 1.0, **more: object) -> None:
        """Make a unit. `dies_s`: seconds after which a `dies` or a `flaps` ends. `more`: its properties."""
        state = {"started": time.time() if active else 0.0, "behaviour": "good" if active else "stopped", "invocation": _new()}
        unit = {**state, "next": behaviour, "dies_s": dies_s, "pid": 4_000, "restarts": 0, "more": more}
        self.save(name, unit)

    def load(self, name: str) -> dict[str, Any] | None:
        path = self.folder / name
        return json.loads(path.read_text()) if path.exists() else None

    def save(self, name: str, unit: dict[str, Any]) -> None:
        new = self.folder / f".{name}"
        new.write_text(json.dumps(unit))
        new.replace(self.folder / name)

    def start(self, name: str) -> None:
        """Start it again, as somebody else might."""
        unit = self.load(name) or {}
        unit.update(started=time.time(), behaviour=unit["next"], invocation=_new(), pid=unit["pid"] + 1, restarts=0)
        self.save(name, unit)

    def starts(self, name: str) -> int:
        """How often it was started so."""
        return int((self.load(name) or {"pid": 4_000})["pid"]) - 4_000


def _new() -> str:
    return uuid.uuid4().hex


def properties(name: str, unit: dict[str, Any] | None) -> dict[str, object]:
    """What `systemctl show` says."""
    if unit is None:
        return {
            "Id": name,
            "LoadState": "not-found",
            "ActiveState": "inactive",
            "SubState": "dead",
            "MainPID": 0,
            "NRestarts": 0,
        }
    up_s, behaviour = time.time() - unit["started"], unit["behaviour"]
    found = {
        "Id": name, "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "MainPID": unit["pid"],
        "Type": "simple", "NRestarts": 0, "InvocationID": unit["invocation"],
        "ActiveEnterTimestampMonotonic": int(unit["started"] * 1e6),
        "Restart": "no", "Result": "success", "RequiredBy": "", "Description": f"The unit {name}", "RefuseManualStart": "no",
        "RefuseManualStop": "no",
    }  # fmt: skip
    down = {"ActiveState": "failed", "SubState": "failed", "MainPID": 0, "Result": "exit-code"}
    if behaviour in ("stopped", "fails") or (behaviour == "dies" and up_s > unit["dies_s"]):
        found.update(down)
    elif behaviour == "flaps":
        rounds = int(up_s / unit["dies_s"])
        found.update(NRestarts=rounds, MainPID=unit["pid"] + 100 * rounds, Restart="always")
        found["InvocationID"] = f"{unit['invocation'][:24]}{rounds:08d}"
    elif behaviour == "once":
        found.update({"ActiveState": "inactive", "SubState": "dead", "MainPID": 0, "Type": "oneshot"})
    return {**found, **unit["more"]}


def systemctl(folder: Path, words: list[str]) -> int:
    """`systemctl show|restart`."""
    units, verb, name = Units(folder), words[0], words[-1]
    unit = units.load(name)
    if verb == "show":
        wanted = next(word for word in words if word.startswith("--property=")).partition("=")[2].split(",")
        found = properties(name, unit)
        sys.stdout.write("".join(f"{key}={found[key]}\n" for key in found if key in wanted))
        return 0
    if verb != "restart" or words[1] != "--":
        sys.stderr.write(f"Unknown command verb {verb}.\n")
        return 1
    if unit is None:
        sys.stderr.write(f"Failed to restart {name}: Unit {name} not found.\n")
        return 5
    if unit["next"] == "nothing":
        return 0
    if unit["next"] == "hangs":
        time.sleep(600)
    units.start(name)
    if unit["next"] == "fails":
        sys.stderr.write(f"Job for {name} failed because the control process exited with error code.\n")
        return 1
    return 0


class JournalFiles:
    """The journal of one private host: sizes of its files, in bytes, and its lines."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.json"

    def put(self, archived: list[int], active: int, *, lines: list[str], behaviour: str = "good") -> None:
        """Make it. behaviours: `good`, `nothing` removes nothing, `mute` says no size, `unreadable` exports nothing."""
        self.save({"archived": archived, "active": active, "lines": lines, "behaviour": behaviour})

    def load(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.read_text())
        return found

    def save(self, state: dict[str, Any]) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(state))
        new.replace(self.path)

    @property
    def size(self) -> int:
        """What it takes up, in bytes."""
        state = self.load()
        return int(sum(state["archived"]) + state["active"])


def journalctl(folder: Path, words: list[str]) -> int:
    """`journalctl --disk-usage|--rotate|--vacuum-size=SIZE`, or lines."""
    files = JournalFiles(folder)
    state = files.load()
    if "--disk-usage" in words:
        size = files.size / MB
        text = f"{size:.1f}M" if size < 1024 else f"{size / 1024:.1f}G"
        sys.stdout.write(
            "" if state["behaviour"] == "mute" else f"Archived and active journals take up {text} in the file system.\n"
        )
    elif "--rotate" in words:
        files.save({**state, "archived": [*state["archived"], state["active"]], "active": 8 * MB})
    elif words[-1].startswith("--vacuum-size="):
        text = words[-1].partition("=")[2]
        keep = int(text[:-1]) * {"K": 1 << 10, "M": MB, "G": 1 << 30}[text[-1]]
        while state["behaviour"] == "good" and state["archived"] and sum(state["archived"]) + state["active"] > keep:
            state["archived"].pop(0)
        files.save(state)
        sys.stderr.write("Vacuuming done, freed space.\n")
    elif state["behaviour"] == "unreadable":
        sys.stderr.write("Failed to open files: Input/output error\n")
        return 1
    else:
        sys.stdout.write("".join(f"{text}\n" for text in state["lines"]))
    return 0


def install(bin_folder: Path, state: Path) -> None:
    """Write the executables; their state lies in `state`."""
    for name in ("systemctl", "journalctl"):
        path = bin_folder / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{Path(__file__).resolve()}" {name} "{state}" "$@"\n')
        path.chmod(0o755)


if __name__ == "__main__":
    program = {"systemctl": systemctl, "journalctl": journalctl}[sys.argv[1]]
    sys.exit(program(Path(sys.argv[2]), sys.argv[3:]))
