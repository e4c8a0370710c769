"""`debugtui metrics`: serve our own readings to a Prometheus, or print them once."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import sys
import threading
from collections.abc import Iterator
from socket import gaierror
from wsgiref.simple_server import WSGIServer

import click

from debugtui.alerts.book import AlertBook
from debugtui.config.load import ConfigError, load
from debugtui.config.models import Config
from debugtui.config.redaction import redact
from debugtui.fleet.build import build_fleet
from debugtui.fleet.fleet import Fleet
from debugtui.headless.asker import terminal_asker
from debugtui.headless.check import read_once
from debugtui.headless.metrics.collect import Exposition, collect, registry_of

#: Seconds between two looks at the newest readings.
EVERY_S = 2.0


@click.command()
@click.option("--listen", default="127.0.0.1:9847", show_default=True, help="Where to serve them: ADDRESS:PORT.")
@click.option("--once", is_flag=True, help="Read everything once, print the metrics and end.")
@click.pass_context
def metrics(context: click.Context, listen: str, once: bool) -> None:
    """Expose our own readings in the text format of Prometheus.

    Without --once: serve them at /metrics until ended, and read at the usual pace.
    """
    address, port = _address(listen)
    try:
        config = load(context.obj["config"])
    except ConfigError as error:
        click.echo(str(error), err=True)
        context.exit(3)
    try:
        context.exit(asyncio.run(_print(config) if once else _serve(config, address, port)))
    except asyncio.CancelledError:
        context.exit(3 if once else 0)
    except (OSError, gaierror) as error:
        click.echo(redact(f"cannot listen on {listen}: {error.strerror or error}"), err=True)
        context.exit(3)


def _address(listen: str) -> tuple[str, int]:
    address, colon, port = listen.rpartition(":")
    address = address.removeprefix("[").removesuffix("]")
    if not colon or not address or not port.isascii() or not port.isdigit() or not 0 <= int(port) < 65536:
        raise click.BadParameter("write ADDRESS:PORT, such as 127.0.0.1:9847 or [::1]:9847", param_hint="--listen")
    return address, int(port)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _cancel_at_the_end() -> None:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)


async def _print(config: Config) -> int:
    from prometheus_client.exposition import generate_latest

    _cancel_at_the_end()
    fleet = build_fleet(config, terminal_asker())
    exposition = Exposition()
    try:
        await read_once(fleet)
        await _look(fleet, AlertBook(), exposition)
    finally:
        await fleet.close_sources()
        await fleet.stop()
    sys.stdout.write(generate_latest(registry_of(exposition)).decode())
    sys.stdout.flush()
    return 0


async def _look(fleet: Fleet, book: AlertBook, exposition: Exposition) -> None:
    view = fleet.view()
    exposition.samples = await asyncio.to_thread(collect, view, book.update(view))


async def _serve(config: Config, address: str, port: int) -> int:
    _cancel_at_the_end()
    exposition, book = Exposition(), AlertBook()
    with serving(exposition, address, port) as bound:
        shown = f"[{address}]" if ":" in address else address
        click.echo(f"serving metrics at http://{shown}:{bound}/metrics", err=True)
        if _is_loopback(address):
            click.echo("this machine only: --listen ADDRESS:PORT opens it to others", err=True)
        else:
            click.echo("whoever reaches this address can read them: there is neither password nor TLS", err=True)
        fleet = build_fleet(config, terminal_asker())
        try:
            await fleet.start()
            while True:
                await _look(fleet, book, exposition)
                await asyncio.sleep(EVERY_S)
        finally:
            await fleet.stop()


@contextlib.contextmanager
def serving(exposition: Exposition, address: str, port: int) -> Iterator[int]:
    """Serve in threads of their own, so that no client holds up a reading; yield the port.

    Raises:
        OSError: the address cannot be listened on.
    """
    from prometheus_client import start_http_server

    made = start_http_server(port, address, registry_of(exposition))
    server: WSGIServer = made[0]
    thread: threading.Thread = made[1]
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
