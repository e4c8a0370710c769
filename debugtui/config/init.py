"""Writes configurations: a first one, and one host more into an existing one, whose comments stay."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from debugtui.config.discover import Found, discover_local
from debugtui.config.fields import NAME_LIMIT, Table, parse_address
from debugtui.config.load import ConfigError, ConfigIssue, read, read_text
from debugtui.config.models import HostConfig
from debugtui.config.paths import config_file, private_dir
from debugtui.config.ssh_hosts import SshAlias
from debugtui.model.text import line

__all__ = ["Found", "add_host", "append_host", "discover_local", "render_host", "render_initial", "write_config"]

_HEAD = """\
# The configuration of DebugTUI. Every table and key: docs/configuration.md
# "debugtui config check" says what is wrong with it, with line and key.

[ui]
theme = "rampart-dark"      # or rampart-light, rampart-contrast, rampart-mono
language = "en"
refresh = "2s"              # between two reads of a source; 0.5s to 60s
mouse = true                # false leaves the mouse to the terminal

# [ui.keys]                 # keys of your own: action = "key,key"
# "app.pause" = "P,f9"
"""

_HOST_EXAMPLE = """\
# [[hosts]]
# name = "kvm-01"
# address = "ssh://ops@kvm-01.example.org:22"    # or an alias of ~/.ssh/config, or "local"
# identity = "~/.ssh/id_ed25519"                 # optional, as are known_hosts and jump; else ssh's own rules
# libvirt = "qemu:///system"                     # as seen from the host; false switches a source off
# docker = "unix:///var/run/docker.sock"         # a socket path of the host
#   [[hosts.postgres]]
#   name = "coach"
#   dsn = "postgresql://monitor@/coach?host=/var/run/postgresql"
#   password = {env = "COACH_MONITOR_PASSWORD"}  # or {keyring = "service/user"}, {command = "pass show x"}, {ask = true}
"""

_FORGES = frozenset({"github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "ssh.dev.azure.com", "git.sr.ht"})


def toml_text(text: str) -> str:
    """Return a text as a TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def render_initial(aliases: Sequence[SshAlias], found: Found) -> str:
    """Return a first configuration with comments: this machine where it offers anything, and the hosts of ssh.

    It loads without errors. Nothing else is written into it, no secret in particular.
    """
    parts = [_HEAD]
    if found.anything or not any(_refusal(alias) is None for alias in aliases):
        parts.append(_local(found))
    parts.extend(_ssh_host(alias) for alias in aliases if alias.name != "local" or not found.anything)
    parts.extend(("# A host with everything that can be said about it:\n" + _HOST_EXAMPLE,))
    return "\n".join(parts)


def _local(found: Found) -> str:
    rows = ["# This machine.", "[[hosts]]", 'name = "local"', 'address = "local"']
    for key, value in (("libvirt", found.libvirt), ("docker", found.docker)):
        if value is not None:
            rows.append(f"{key} = {toml_text(value)}")
    for server in found.postgres:
        name = "postgres" if len(found.postgres) == 1 else f"postgres-{server.port}"
        rows += [
            "  [[hosts.postgres]]",
            f"  name = {toml_text(name)}",
            f"  dsn = {toml_text(f'postgresql:///postgres?host={server.directory}&port={server.port}')}",
            "  # A role that may only watch: CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor;",
            "  # then postgresql://monitor@/... above, and where its password is found, if it needs one:",
            '  # password = {env = "MONITOR_PASSWORD"}',
        ]
    return "\n".join(rows) + "\n"


def _ssh_host(alias: SshAlias) -> str:
    where = f"{alias.user}@" if alias.user else ""
    where += alias.hostname + (f":{alias.port}" if alias.port else "")
    rows = [f"# ~/.ssh/config: {line(where, 200)}"]
    table = ["[[hosts]]", f"name = {toml_text(alias.name)}", f"address = {toml_text(alias.name)}"]
    refusal = _refusal(alias)
    if refusal is not None:
        rows.append(f"# {refusal}")
        table = [f"# {row}" for row in table]
    return "\n".join(rows + [line(row, 400) for row in table]) + "\n"


def _refusal(alias: SshAlias) -> str | None:
    """Return why a host of ssh's configuration is written as a comment only; None: it is written as a host."""
    if alias.hostname.lower() in _FORGES or alias.user == "git":
        return "Left out: it serves git, not commands."
    try:
        host = HostConfig(name=alias.name, address=alias.name)
    except ValueError:
        return "Left out: its name cannot be a host's name here."
    return 'Left out: "local" means this machine.' if host.address == "local" else None


def render_host(host: HostConfig) -> str:
    """Return a host as TOML text, without what is default."""
    return "\n".join(_host_rows(host)) + "\n"


def _host_rows(host: HostConfig) -> Iterator[str]:
    yield "[[hosts]]"
    yield from _pairs(host, "", skip=("postgres", "web"))
    for database in host.postgres:
        yield "  [[hosts.postgres]]"
        yield from _pairs(database, "  ")
    for web in host.web:
        yield "  [[hosts.web]]"
        yield from _pairs(web, "  ")


def _pairs(table: Table, indent: str, skip: Sequence[str] = ()) -> Iterator[str]:
    for key, field in type(table).model_fields.items():
        value = getattr(table, key)
        if key not in skip and value != field.get_default():
            yield f"{indent}{key} = {_value(value)}"


def _value(value: object) -> str:
    if isinstance(value, Table):
        return "{" + ", ".join(_pairs(value, "")) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml_text(str(key))} = {_value(item)}" for key, item in value.items()) + "}"
    return str(value) if isinstance(value, int | float) else toml_text(str(value))


def append_host(path: Path, host: HostConfig) -> None:
    """Add a host at the end of a configuration, made where absent; what stands there stays as it is.

    The result is validated before it replaces the file, whole or not at all.

    Raises:
        ConfigError: the file, or the file with this host, cannot be used. Nothing was written.
        OSError: it cannot be written.
    """
    if os.path.lexists(path):
        read(path)
        text = path.read_text(encoding="utf-8-sig")
        text += "" if not text or text.endswith("\n") else "\n"
    else:
        text = _HEAD
    text += f"\n{render_host(host)}"
    read_text(text, path)
    write_config(path, text)


def add_host(path: Path | None, address: str) -> None:
    """Add a host by its address alone, named after it.

    Args:
        path: the configuration; None: the user's own.
        address: `local`, `ssh://[user@]host[:port]`, or an alias of `~/.ssh/config`.

    Raises:
        ConfigError: the address is none, is there already, or the file cannot be used. Nothing was written.
        OSError: it cannot be written.
    """
    file = path if path is not None else config_file()
    known = read(file).config.hosts if os.path.lexists(file) else ()
    if any(host.address == address for host in known):
        raise ConfigError((ConfigIssue(str(file), None, "hosts", "this host is there already"),))
    try:
        parsed = parse_address(address)
    except ValueError as error:
        says = (getattr(error, "context", None) or {}).get("says", "is no address")
        raise ConfigError((ConfigIssue(str(file), None, "address", str(says)),)) from None
    wanted = "local" if parsed is None else parsed.host[: NAME_LIMIT - 4]
    names = {host.name for host in known}
    name = next(name for name in (wanted, *(f"{wanted}-{number}" for number in range(2, 1000))) if name not in names)
    append_host(file, HostConfig(name=name, address=address))


def write_config(path: Path, text: str, *, replace: bool = True) -> None:
    """Write a configuration whole or not at all, readable by its owner only.

    Args:
        path: where; of a symbolic link the file that it leads to is written.
        text: the whole configuration.
        replace: False refuses where something stands there already.

    Raises:
        FileExistsError: something stands there and `replace` is False.
        OSError: it cannot be written.
    """
    target = Path(os.path.realpath(path))
    private_dir(target.parent)
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=".config-", suffix=".toml")  # 0600 from the start
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        if replace:
            os.replace(draft, target)  # noqa: PTH105 # beside os.link below
        else:
            os.link(draft, target)  # fails where something stands there, without a gap between looking and writing
            os.unlink(draft)  # noqa: PTH108
    except BaseException:
        if os.path.lexists(draft):
            os.unlink(draft)  # noqa: PTH108
        raise
