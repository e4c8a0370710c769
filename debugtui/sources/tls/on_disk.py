"""Which certificate file nginx names for an address, and whether the key beside it fits. The key never leaves the host."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from debugtui.hosts.link import Link
from debugtui.model.source import Gap, Problem
from debugtui.model.text import clean, line
from debugtui.model.tls import DiskCertificate
from debugtui.sources.nginx.fetch import fetch, tree_of
from debugtui.sources.nginx.tree import Directive, walk
from debugtui.sources.tls import certificates

LIMIT_S, MOST = 10.0, 200_000


async def disk_certificate(
    link: Link, config: str, name: str, port: int, now: datetime
) -> tuple[DiskCertificate | None, tuple[Gap, ...]]:
    """Return the certificate on the disk of the server that nginx would choose, and what could not be read.

    Args:
        link: of the host.
        config: nginx's main configuration file.
        name: the server name that is asked for.
        port: the port that it listens on.
        now: for the days that are left.
    """
    tree = await asyncio.to_thread(tree_of, await fetch(link, config))
    files = certificate_files(tree.directives, name, port)
    if files is None:
        return None, (Gap("certificate on the disk", Problem(f"{config} names none for {name}:{port}")),)
    path, key = files
    read = await link.run(["cat", "--", path], timeout=LIMIT_S, limit=MOST)
    if read.status != 0:
        return None, (Gap("certificate on the disk", Problem(line(clean(read.stderr), 200) or f"{path} cannot be read")),)
    try:
        found = (await asyncio.to_thread(certificates.from_pem, read.stdout, now))[0]
        wanted = await asyncio.to_thread(certificates.public_key_of, read.stdout)
    except (ValueError, IndexError):
        return None, (Gap("certificate on the disk", Problem(f"{path} holds no certificate")),)
    fits, gaps = await _fits(link, key, wanted)
    return DiskCertificate(path, found, key, fits), gaps


async def _fits(link: Link, key: str, wanted: bytes) -> tuple[bool | None, tuple[Gap, ...]]:
    """Compare public keys: the host itself derives the public half, so that the private one stays there."""
    derived = await link.run(["openssl", "pkey", "-in", key, "-pubout"], timeout=LIMIT_S, limit=MOST)
    if derived.status == 127:
        return None, (
            Gap("key on the disk", Problem("the host has no openssl", "it is needed to compare key and certificate")),
        )
    if derived.status != 0:
        says = line(clean(derived.stderr), 200) or "openssl refuses it"
        return None, (Gap("key on the disk", Problem(f"{key}: {says}", "root can read it")),)
    try:
        return await asyncio.to_thread(certificates.public_key_of, derived.stdout) == wanted, ()
    except ValueError:
        return None, (Gap("key on the disk", Problem(f"{key} holds no key")),)


def certificate_files(directives: Sequence[Directive], name: str, port: int) -> tuple[str, str] | None:
    """Return (certificate, key) of the server that answers for a name on a port; None: none is named.

    nginx takes the server whose name fits exactly, then by `*.`; else the default server of the port, or the first.
    """
    candidates = [server for server in _tls_servers(directives) if port in server["ports"]]
    for fits in (
        lambda server: name.lower() in server["names"],
        lambda server: f"*.{name.lower().partition('.')[2]}" in server["names"],
        lambda server: server["default"],
        lambda _: True,
    ):
        for server in candidates:
            if fits(server) and server["certificate"] and server["key"]:
                return server["certificate"], server["key"]
    return None


def _tls_servers(directives: Sequence[Directive]) -> Iterator[dict[str, Any]]:
    for block in walk(directives, "http"):
        shared = {one.name: one.args[0] for one in block.block if one.name.startswith("ssl_certificate") and one.args}
        for server in walk(block.block, "server"):
            listens = [one.args for one in server.block if one.name == "listen" and one.args]
            own = {one.name: one.args[0] for one in server.block if one.name.startswith("ssl_certificate") and one.args}
            yield {
                "names": {word.lower() for one in server.block if one.name == "server_name" for word in one.args},
                "ports": {_port(args[0]) for args in listens if "ssl" in args or "quic" in args},
                "default": any("default_server" in args for args in listens),
                "certificate": own.get("ssl_certificate", shared.get("ssl_certificate", "")),
                "key": own.get("ssl_certificate_key", shared.get("ssl_certificate_key", "")),
            }


def _port(listen: str) -> int:
    text = listen.rpartition(":")[2] if not listen.endswith("]") else ""
    return int(text) if text.isascii() and text.isdigit() else 80
