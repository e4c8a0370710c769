"""`debugtui config`: write a first configuration, check one, say where it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from debugtui.config.discover import discover_local
from debugtui.config.init import render_initial, write_config
from debugtui.config.load import ConfigError, ConfigIssue, Loaded, read, read_text
from debugtui.config.models import secrets_of
from debugtui.config.paths import config_file
from debugtui.config.secrets import check_readable
from debugtui.config.ssh_hosts import ssh_aliases
from debugtui.model.text import line

#: Exit code where the configuration cannot be used, or was not written.
UNUSABLE = 2


@click.group()
def config() -> None:
    """Write, check or find the configuration."""


def _named(context: click.Context) -> Path | None:
    """Return the file of the global option `--config`; None: the user's own."""
    named: Path | None = (context.obj or {}).get("config")
    return named


@config.command()
@click.option("--force", is_flag=True, help="Overwrite the file where there is one.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it there instead.")
@click.pass_context
def init(context: click.Context, force: bool, output: Path | None) -> None:
    """Write a commented configuration, from ~/.ssh/config and what this machine offers."""
    file = output or _named(context) or config_file()
    text = render_initial(ssh_aliases(), discover_local())
    try:
        hosts = len(read_text(text, file).config.hosts)
        write_config(file, text, replace=force)
    except FileExistsError:
        click.echo(f"{file}: is there already and was left as it is; --force overwrites it", err=True)
        context.exit(UNUSABLE)
    except (ConfigError, OSError) as error:
        says = error.strerror if isinstance(error, OSError) else str(error)
        click.echo(f"{file}: was not written: {says}", err=True)
        context.exit(UNUSABLE)
    click.echo(str(file))
    click.echo(f"{hosts} hosts; look it over, then start debugtui", err=True)


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Say everything that is wrong with the configuration, unreadable secrets included.

    Exit code: 0 it can be used, 2 it cannot.
    """
    file = _named(context) or config_file()
    try:
        loaded = read(file)
        issues, warnings = tuple(unreadable(loaded)), loaded.warnings
    except ConfigError as error:
        issues, warnings = error.issues, ()
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    for issue in issues:
        click.echo(str(issue), err=True)
    if as_json:
        click.echo(json.dumps(document(file, issues), ensure_ascii=False))
    elif not issues:
        click.echo(f"{file}: ok")
    context.exit(UNUSABLE if issues else 0)


def unreadable(loaded: Loaded) -> list[ConfigIssue]:
    """Return the secrets and private keys of a configuration that cannot be read, in the order of the file."""
    found = []
    for place, ref in secrets_of(loaded.config):
        if (problem := check_readable(ref)) is not None:
            found.append(loaded.issue(place, f"{problem.says}: {problem.hint}"))
    for at, host in enumerate(loaded.config.hosts):
        if host.identity is not None and not os.access(host.identity, os.R_OK):
            says = "cannot be read" if host.identity.exists() else "there is no such file"
            found.append(loaded.issue(("hosts", at, "identity"), f"unreadable private key: {says}: {line(str(host.identity))}"))
    return sorted(found, key=lambda issue: issue.line or 0)


def document(file: Path, issues: tuple[ConfigIssue, ...]) -> dict[str, object]:
    """Return what `config check --json` prints, version 1."""
    return {
        "version": 1,
        "file": str(file),
        "status": "error" if issues else "ok",
        "issues": [{"line": issue.line, "key": issue.key, "says": issue.says, "nearest": issue.nearest} for issue in issues],
    }


@config.command()
@click.pass_context
def path(context: click.Context) -> None:
    """Print where the configuration is, or would be."""
    click.echo(str(_named(context) or config_file()))
