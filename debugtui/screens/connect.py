"""The first start: choose a host of ~/.ssh/config, or type one; it goes into a new configuration."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static

from debugtui.widgets.bar import Bar
from debugtui.widgets.cells import safe
from debugtui.widgets.line_table import LineTable
from debugtui.widgets.table_rows import Cell, Column, Row

COLUMNS = (
    Column("name", "name", min_width=14),
    Column("address", "address", min_width=20, priority=1),
)
LOCAL = "local"


class ConnectScreen(Screen[bool]):
    """No configuration yet. Enter on a host writes one with that host and connects; nothing else is written."""

    HELP = "There is no configuration yet. Choose a host, or type its address, and press enter."
    AUTO_FOCUS = "LineTable"
    DEFAULT_CSS = """
    ConnectScreen {
        & Vertical { padding: 1 2; height: 1fr; }
        & .title { text-style: bold; color: $text-primary; }
        & .hint { color: $text-muted; margin-bottom: 1; }
        & #says { color: $text-error; height: auto; }
        & LineTable { height: 1fr; margin-bottom: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape", "refuse", "Quit", id="connect.quit"),
        Binding("slash,i", "type", "Type an address", id="connect.type"),
    ]

    def __init__(self, config_path: Path | None) -> None:
        """Make the screen; the hosts are looked for when it is mounted.

        Args:
            config_path: where the configuration will be written; None: the user's own place.
        """
        super().__init__()
        self._config_path = config_path

    def compose(self) -> ComposeResult:
        """What this is, the known hosts, a field for another one."""
        yield Bar(id="header")
        with Vertical():
            yield Static(Content("Which host shall be watched?"), classes="title")
            yield Static(
                Content("These are the hosts of ~/.ssh/config and this machine. More can be added to the file later."),
                classes="hint",
            )
            yield LineTable(COLUMNS, id="table-hosts", empty_text="looking for hosts…")
            yield Input(placeholder="or type ssh://user@host:22, an alias, or local", id="address")
            yield Static("", id="says", markup=False)
        yield Bar(
            [("enter connect", ""), ("/ type an address", ""), ("q quit", ""), ("debugtui demo shows a live example", "dim")],
            id="keys",
        )

    async def on_mount(self) -> None:
        """Look for hosts, off the event loop."""
        rows = await asyncio.to_thread(_known_hosts)
        self.query_one(LineTable).set_rows(rows)

    def action_type(self) -> None:
        """Go to the field."""
        self.query_one(Input).focus()

    def action_refuse(self) -> None:
        """Leave; nothing was written."""
        if isinstance(self.focused, Input):
            self.query_one(LineTable).focus()
        else:
            self.dismiss(False)

    async def on_line_table_selected(self, event: LineTable.Selected) -> None:
        """Use the host under the cursor."""
        event.stop()
        await self._use(event.key)

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """Use the address that was typed."""
        event.stop()
        if event.value.strip():
            await self._use(event.value.strip())

    async def _use(self, address: str) -> None:
        from debugtui.config.init import add_host
        from debugtui.config.load import ConfigError

        try:
            await asyncio.to_thread(add_host, self._config_path, address)
        except (ConfigError, OSError) as error:
            self.query_one("#says", Static).update(Content(safe(str(error))))
            return
        self.dismiss(True)


def _known_hosts() -> list[Row]:
    from debugtui.config.ssh_hosts import ssh_aliases

    rows = [Row(LOCAL, ("this machine", Cell("local, without SSH", "dim")))]
    for alias in ssh_aliases():
        where = f"{alias.user}@{alias.hostname}" if alias.user else alias.hostname
        rows.append(Row(alias.name, (alias.name, Cell(f"{where}:{alias.port}" if alias.port else where, "dim"))))
    return rows
