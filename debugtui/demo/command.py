"""`debugtui demo`: the screen on the embedded lab."""

from __future__ import annotations

from collections.abc import Callable

import click

from debugtui.demo.handle import DemoError, DemoHandle
from debugtui.demo.scenarios import DEFAULT_SCENARIO, SCENARIOS


@click.command()
@click.option("--scenario", default=DEFAULT_SCENARIO, show_default=True, help="Which incidents unfold.")
@click.option("--list", "listing", is_flag=True, help="Say which scenarios there are.")
@click.pass_context
def demo(ctx: click.Context, scenario: str, listing: bool) -> None:
    """Open the screen on an embedded lab: three hosts that touch nothing of this machine and leave nothing behind."""
    if listing:
        width = max(map(len, SCENARIOS))
        for name, known in SCENARIOS.items():
            click.echo(f"{name:<{width}}  {known.says}")
        return
    open_screen: Callable[..., int] = ctx.obj["open_screen"]
    try:
        code = run_demo(lambda handle: open_screen(demo=handle), scenario)
    except DemoError as error:
        raise click.ClickException(str(error)) from error
    ctx.exit(code)


def run_demo(open_screen: Callable[[DemoHandle], int], scenario: str = DEFAULT_SCENARIO) -> int:
    """Start the lab, open the screen on it, and end the lab when the screen is left; return the screen's exit code.

    Args:
        open_screen: opens the screen. The lab starts while it imports what it needs: `handle.config` waits for it.
        scenario: a name of `SCENARIOS`.

    Raises:
        DemoError: the lab could not start.
    """
    handle = DemoHandle.start(scenario, lambda text: click.echo(f"demo: {text}", err=True))
    try:
        return open_screen(handle)
    finally:
        handle.close()
