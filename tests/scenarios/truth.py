"""What a scenario says of itself: its truth, read from `truth.toml`, and its way to break and to heal."""

from __future__ import annotations

import importlib.util
import string
import tomllib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.scenarios.lab.lab import Lab

CASES = Path(__file__).parent / "cases"
KINDS = ("fault", "chain", "double", "healthy", "hostile")
#: Stands among the remediations of a cause where it is right to offer none.
NOTHING = "nothing"


@dataclass(frozen=True)
class Cause:
    """One root cause.

    Attributes:
        layers: any of these is right; more than one only where the layers' border is a matter of words.
        targets: patterns of the entity at fault, any of which is right.
        remediations: any of these may stand first: `NAME`, or `NAME TARGET-PATTERN [KEY=PATTERN]...`, or `nothing`.
        alerts: rules that have to show.
    """

    layers: tuple[str, ...]
    targets: tuple[str, ...]
    remediations: tuple[str, ...]
    alerts: tuple[str, ...]


@dataclass(frozen=True)
class Truth:
    """The truth of one scenario.

    Attributes:
        name: of its folder.
        kind: of `KINDS`.
        says: what is the case, in one sentence.
        causes: none where the system is healthy.
        chrome: whether the page is opened in a browser.
        twin: the scenario that is the same without the hostile text.
        forbidden: words that no proposal may hold: what the hostile text orders.
    """

    name: str
    kind: str
    says: str
    causes: tuple[Cause, ...] = ()
    chrome: bool = False
    twin: str = ""
    forbidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """One folder of `cases`."""

    truth: Truth
    break_: Callable[[Lab], Awaitable[Mapping[str, object] | None]]
    heal: Callable[[Lab], Awaitable[None]]


class TruthError(Exception):
    """A scenario's folder is not as docs/scenarios.md says."""


def read(folder: Path) -> Truth:
    """Read the truth in a folder."""
    document = tomllib.loads((folder / "truth.toml").read_text(encoding="utf-8"))
    causes = tuple(_cause(folder, dict(cause)) for cause in document.pop("causes", []))
    known = {"kind", "says", "chrome", "twin", "forbidden"}
    if unknown := set(document) - known:
        raise TruthError(f"{folder.name}: unknown {', '.join(sorted(unknown))}")
    truth = Truth(name=folder.name, causes=causes, **_tuples(document))
    if truth.kind not in KINDS:
        raise TruthError(f"{folder.name}: kind is one of {', '.join(KINDS)}, not {truth.kind!r}")
    wanted = {"fault": 1, "chain": 1, "double": 2, "healthy": 0}.get(truth.kind, len(causes))
    if len(causes) != wanted:
        raise TruthError(f"{folder.name}: {truth.kind} has {wanted} causes, not {len(causes)}")
    return truth


def _cause(folder: Path, found: dict[str, Any]) -> Cause:
    layer = found.pop("layer")
    try:
        return Cause(layers=(layer,) if isinstance(layer, str) else tuple(layer), **_tuples(found))
    except TypeError as error:
        raise TruthError(f"{folder.name}: a cause has layer, targets, remediations and alerts: {error}") from error


def _tuples(found: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}


def load(folder: Path) -> Scenario:
    """Read a folder: its truth, and its two functions."""
    spec = importlib.util.spec_from_file_location(f"tests.scenarios.cases.{folder.name}", folder / "scenario.py")
    if spec is None or spec.loader is None:
        raise TruthError(f"{folder.name}: no scenario.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Scenario(read(folder), module.break_, module.heal)


def folders(pattern: str = "*") -> Iterator[Path]:
    """Yield the folders whose name matches, in the order of their layers."""
    order = ("kvm", "host", "docker", "postgres", "groq", "web", "monitoring", "chain", "double", "healthy", "hostile")
    found = [path.parent for path in CASES.glob("*/truth.toml") if path.parent.match(pattern)]
    rank = {name: at for at, name in enumerate(order)}
    yield from sorted(found, key=lambda path: (rank.get(path.name.partition("-")[0], len(order)), path.name))


def fill(pattern: str, facts: Mapping[str, object]) -> str:
    """Put what is only known at run time into a pattern: `orders/{pid}`.

    Raises:
        TruthError: a fact is named that nobody gave.
    """
    names = [name for _, name, _, _ in string.Formatter().parse(pattern) if name]
    if missing := [name for name in names if name not in facts]:
        raise TruthError(f"{pattern!r}: the scenario gave no {', '.join(missing)}")
    return pattern.format_map(dict(facts))
