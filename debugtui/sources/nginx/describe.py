"""From a tree of directives to what is shown and watched: servers, upstreams, logs and their formats. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from debugtui.model.nginx import Listen, Location, NginxLog, Server, Upstream, UpstreamServer
from debugtui.model.text import line
from debugtui.sources.nginx.tree import Directive, Tree, everywhere, first, walk

#: nginx's own format, used where none is named (ngx_http_log_module).
COMBINED = '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
_PASSES = ("proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass")
_DEFAULT_PID = "/run/nginx.pid"


@dataclass(frozen=True, slots=True)
class Described:
    """What a configuration says.

    Attributes:
        servers, upstreams: as configured; nothing is known of processes and containers here.
        pid: path of the pid file.
        error_logs: paths of error logs, the main one first.
        access_logs: (path, format) of access logs.
        status_urls: where stub_status answers.
    """

    servers: tuple[Server, ...]
    upstreams: tuple[Upstream, ...]
    pid: str
    error_logs: tuple[str, ...]
    access_logs: tuple[tuple[str, str], ...]
    status_urls: tuple[str, ...]

    @property
    def logs(self) -> tuple[NginxLog, ...]:
        """Its log files, each once, error logs first."""
        access = dict.fromkeys(path for path, _ in self.access_logs)
        return (*(NginxLog(path) for path in self.error_logs), *(NginxLog(path, access=True) for path in access))


def describe(tree: Tree, prefix: str) -> Described:
    """Return what a configuration says.

    Args:
        tree: of it.
        prefix: the folder that relative paths of logs and of the pid file begin at.
    """
    http = [one for block in walk(tree.directives, "http") for one in block.block]
    formats = {"combined": COMBINED, **{one.args[0]: _format(one.args[1:]) for one in walk(http, "log_format") if one.args}}
    pid = (first(tree.directives, "pid") or (_DEFAULT_PID,))[0]
    return Described(
        servers=tuple(_server(server) for server in walk(http, "server")),
        upstreams=tuple(_upstream(one) for one in walk(http, "upstream") if one.args),
        pid=posixpath.join(prefix, pid),
        error_logs=tuple(dict.fromkeys(_error_logs(tree, prefix))),
        access_logs=tuple(dict.fromkeys(_access_logs(http, formats, prefix))),
        status_urls=tuple(dict.fromkeys(_status_urls(http))),
    )


def _format(words: Sequence[str]) -> str:
    return "".join(word for word in words if not word.startswith("escape="))


def _error_logs(tree: Tree, prefix: str) -> Iterator[str]:
    main = [one.args[0] for one in walk(tree.directives, "error_log") if one.args]
    for path in (*main, *(one.args[0] for one in everywhere(tree.directives, "error_log") if one.args)):
        if path != "stderr" and not path.startswith(("syslog:", "memory:")) and path != "/dev/null":
            yield posixpath.join(prefix, path)


def _access_logs(http: Sequence[Directive], formats: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    for one in everywhere(http, "access_log"):
        if not one.args or one.args[0] == "off" or one.args[0].startswith(("syslog:", "/dev/")) or "$" in one.args[0]:
            continue
        name = one.args[1] if len(one.args) > 1 and "=" not in one.args[1] else "combined"
        yield posixpath.join(prefix, one.args[0]), formats.get(name, COMBINED)


def _server(block: Directive) -> Server:
    return Server(
        names=tuple(line(word, 253) for one in walk(block.block, "server_name") for word in one.args),
        listens=tuple(_listen(one.args) for one in walk(block.block, "listen") if one.args) or (Listen("*:80", 80),),
        locations=tuple(_location(one) for one in walk(block.block, "location") if one.args),
        certificate=(first(block.block, "ssl_certificate") or ("",))[0],
        key=(first(block.block, "ssl_certificate_key") or ("",))[0],
        root=(first(block.block, "root") or ("",))[0],
        file=block.file,
        line=block.line,
    )


def _listen(args: tuple[str, ...]) -> Listen:
    return Listen(line(args[0], 200), port_of(args[0]), tls="ssl" in args or "quic" in args)


def port_of(listen: str) -> int:
    """Return the port of a `listen`; 0 for a UNIX socket."""
    if listen.startswith("unix:"):
        return 0
    text = "" if listen.endswith("]") else listen.rpartition(":")[2]
    return int(text) if text.isascii() and text.isdigit() and int(text) < 65_536 else 80


def _location(block: Directive) -> Location:
    path = line(" ".join(block.args), 200)
    for name in _PASSES:
        if target := first(block.block, name):
            return Location(path, line(target[0], 300))
    if answer := first(block.block, "return"):
        return Location(path, line(f"answers {' '.join(answer)}", 200))
    root = first(block.block, "root") or first(block.block, "alias")
    return Location(path, line(root[0], 300) if root else "")


def _upstream(block: Directive) -> Upstream:
    servers = []
    for one in walk(block.block, "server"):
        if one.args:
            weight = next((word[7:] for word in one.args if word.startswith("weight=")), "1")
            servers.append(
                UpstreamServer(
                    address=line(one.args[0], 200),
                    down="down" in one.args,
                    backup="backup" in one.args,
                    weight=int(weight) if weight.isascii() and weight.isdigit() else 1,
                )
            )
    return Upstream(line(block.args[0], 100), tuple(servers))


def address_of(text: str) -> tuple[str, int] | None:
    """Return (host, port) of an upstream server or of the target of a `proxy_pass`; None for sockets, names and variables."""
    plain = text.partition("://")[2] if "://" in text else text
    tls = text.startswith(("https://", "grpcs://"))
    plain = plain.partition("/")[0]
    if not plain or "$" in plain or plain.startswith("unix:"):
        return None
    host, colon, port = plain.rpartition(":")
    if not colon or plain.endswith("]"):
        return plain.strip("[]"), 443 if tls else 80
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        return None
    return host.strip("[]"), int(port)


def _status_urls(http: Sequence[Directive]) -> Iterator[str]:
    for server in walk(http, "server"):
        listens = [one.args[0] for one in walk(server.block, "listen") if one.args and "ssl" not in one.args]
        for location in walk(server.block, "location"):
            plain = [word for word in location.args if word.startswith("/")]
            if not plain or not any(True for _ in walk(location.block, "stub_status")):
                continue
            for listen in listens:
                port = port_of(listen)
                host = listen.rpartition(":")[0] if ":" in listen and not listen.endswith("]") else ""
                host = "127.0.0.1" if host in ("", "*", "0.0.0.0") else "[::1]" if host == "[::]" else host  # noqa: S104 - read, not bound
                if port:
                    yield f"http://{host}:{port}{plain[-1]}"
