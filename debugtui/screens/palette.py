"""The command palette: lists what applies here, from the action table, and every target by name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from debugtui.model.actions import Action, in_scope
from debugtui.model.docker import DockerReading
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.source import FleetView, Kind
from debugtui.model.target import Target
from debugtui.screens.console import Console
from debugtui.screens.keys import keys_of, shown_key
from debugtui.screens.rows.monitoring_servers import KINDS as MONITORING_KINDS


class ActionProvider(Provider):
    """The actions of the screen below and of what has the focus on it."""

    @property
    def _console(self) -> Console:
        return cast("Console", self.app)

    def _actions(self) -> Iterator[Action]:
        bound = {binding.binding.id for binding in self.screen.active_bindings.values()}
        for scope in ("main", "detail", "alerts", "monitoring", "runbook", "table", "log", "app"):
            yield from (action for action in in_scope(scope) if action.id in bound and action.id != "app.palette")

    def _run(self, action: Action) -> None:
        key = keys_of(action.id, self._console.operator_keys).split(",")[0].strip()
        self._console.simulate_key(key)

    def _label(self, action: Action) -> tuple[str, str]:
        key = shown_key(keys_of(action.id, self._console.operator_keys))
        return f"{action.label}: {action.help}", plain_help(f"key {key}")

    async def discover(self) -> Hits:
        """Yield everything that applies, before anything is typed."""
        for action in self._actions():
            text, keys = self._label(action)
            yield DiscoveryHit(Content(text), partial(self._run, action), text=text, help=keys)

    async def search(self, query: str) -> Hits:
        """Yield the actions that match."""
        matcher = self.matcher(query)
        for action in self._actions():
            text, keys = self._label(action)
            score = matcher.match(text)
            if score > 0:
                yield Hit(score, matcher.highlight(text), partial(self._run, action), text=text, help=keys)


class TargetProvider(Provider):
    """Every VM, container, database and host by its name."""

    async def search(self, query: str) -> Hits:
        """Yield the targets that match."""
        console = cast("Console", self.app)
        matcher = self.matcher(query)
        for target in targets(console.view):
            text = str(target)
            score = matcher.match(text)
            if score > 0:
                yield Hit(
                    score, matcher.highlight(text), partial(console.open_target, target), text=text, help=plain_help("open")
                )


def targets(view: FleetView) -> Iterator[Target]:
    """Yield everything that has a detail screen."""
    for host in view.hosts:
        yield Target(host.name, Kind.SYSTEM)
        for source in host.sources:
            if isinstance(source.reading, LibvirtReading):
                yield from (Target(host.name, Kind.LIBVIRT, vm.name) for vm in source.reading.vms)
            elif isinstance(source.reading, DockerReading):
                yield from (Target(host.name, Kind.DOCKER, container.name) for container in source.reading.containers)
            elif source.kind in (Kind.POSTGRES, *MONITORING_KINDS):
                yield Target(host.name, source.kind, source.name)


def plain_help(text: str) -> str:
    """Return a palette line's help as content that is never parsed as markup; Textual takes it where it says `str`."""
    return cast("str", Content(text))
