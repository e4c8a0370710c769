"""The detail screens: one file per kind of target."""

from __future__ import annotations

from debugtui.model.source import FleetView, Kind
from debugtui.model.target import EXTERNAL, Target
from debugtui.screens.details.base import DetailScreen


def detail_screen(target: Target, view: FleetView) -> DetailScreen | None:
    """Return the screen of a target; None where nothing more is known of it."""
    if target.host == EXTERNAL:
        return None
    if target.kind == Kind.SYSTEM:
        from debugtui.screens.details.host import HostScreen

        return HostScreen(target)
    if target.kind == Kind.POSTGRES:
        from debugtui.screens.details.postgres import PostgresScreen

        return PostgresScreen(target)
    if target.kind == Kind.LIBVIRT and target.name and not target.name.startswith("pool/"):
        from debugtui.screens.details.vm import VmScreen

        return VmScreen(target)
    if target.kind == Kind.DOCKER and target.name:
        from debugtui.screens.details.container import ContainerScreen

        return ContainerScreen(target)
    if target.kind == Kind.GROQ:
        from debugtui.screens.details.groq import GroqScreen

        return GroqScreen(target)
    if target.kind in (Kind.WEB, Kind.TLS, Kind.CHROME) and target.name:
        from debugtui.screens.details.web import WebScreen

        return WebScreen(Target(target.host, Kind.WEB, target.name.partition("/")[0]))
    if target.kind == Kind.NGINX:
        from debugtui.screens.details.nginx import NginxScreen

        return NginxScreen(Target(target.host, Kind.NGINX, target.name.partition("/")[0]))
    return detail_screen(Target(target.host, Kind.SYSTEM), view)
