"""Starts the command line or the screen, importing no more than that needs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

#: Where each command lives; imported only when it is called.
COMMANDS = {
    "alerts": ("debugtui.headless.alert_commands", "alerts", "Show remembered alerts; acknowledge, silence, list the rules."),
    "audit-log": ("debugtui.headless.audit_commands", "audit_log", "Show the audit log, or prove that nobody changed it."),
    "check": ("debugtui.headless.check", "check", "Read every source once and say what is wrong."),
    "config": ("debugtui.headless.config_commands", "config", "Write, check or find the configuration."),
    "apply": ("debugtui.headless.repair_commands", "apply", "Apply an approved plan."),
    "approve": ("debugtui.headless.repair_commands", "approve", "Approve a plan as the second person."),
    "demo": ("debugtui.demo.command", "demo", "Open the screen on an embedded lab that touches nothing."),
    "diagnose": ("debugtui.headless.diagnose", "diagnose", "Name the root cause of what is wrong, with its evidence."),
    "executions": (
        "debugtui.headless.execution_commands",
        "executions",
        "List what was executed, and settle what did not end.",
    ),
    "logs": ("debugtui.headless.logs", "logs", "Print the lines of logs, merged by time."),
    "metrics": ("debugtui.headless.metrics.command", "metrics", "Expose our own readings in the text format of Prometheus."),
    "plan": ("debugtui.headless.repair_commands", "plan", "Plan a remediation; nothing is changed."),
    "query": ("debugtui.headless.query", "query", "Ask a Prometheus; nothing is changed."),
    "remediations": ("debugtui.headless.repair_commands", "remediations", "List what can be repaired."),
    "rollback": ("debugtui.headless.repair_commands", "rollback", "Take back an execution."),
    "topology": ("debugtui.headless.topology", "topology", "Show what hangs together how, and which service owns what."),
    "runbooks": ("debugtui.headless.runbook_commands", "runbooks", "List and run runbooks; every step only looks."),
    "show": ("debugtui.headless.repair_commands", "show", "Show a plan."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, so that the screen starts at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; None where there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        module, name, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][2]) for name in sorted(COMMANDS)])


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from debugtui import __version__

        click.echo(f"debugtui {__version__}")
        ctx.exit()


@click.command(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--config", type=click.Path(path_type=Path), help="The configuration file, instead of the user's own.")
@click.option("--version", is_flag=True, callback=_version, is_eager=True, expose_value=False, help="Print the version.")
@click.pass_context
def cli(ctx: click.Context, config: Path | None) -> None:
    """Watch, diagnose and repair production on KVM hosts, from one terminal.

    Without a command: open the screen.
    """
    ctx.obj = {"config": config, "open_screen": _open_screen}
    if ctx.invoked_subcommand is None:
        ctx.exit(_open_screen(config_path=config))


def _open_screen(**options: object) -> int:
    from debugtui.app import run

    return run(**options)  # type: ignore[arg-type] # the one caller that passes through


def main() -> None:
    """Entry point of the program `debugtui`."""
    sys.exit(cli(prog_name="debugtui", standalone_mode=True))


if __name__ == "__main__":
    main()
