"""Everything an operator can do by key: one table for bindings, palette, help, documentation and key validation.

An action's id is stable: configurations name it (`[ui] keys`), and so will the audit log.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Danger(StrEnum):
    """What an action may touch. look: nothing. local: this program's own state or files. write: a target."""

    LOOK = "look"
    LOCAL = "local"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Action:
    """One action.

    Attributes:
        id: stable name, `scope.verb`.
        keys: default keys, comma separated, as Textual names them.
        label: one or two words for the key line.
        help: one sentence for help and palette.
        danger: see `Danger`.
        required: a key map may move it but not take it away.
    """

    id: str
    keys: str
    label: str
    help: str
    danger: Danger = Danger.LOOK
    required: bool = False

    @property
    def scope(self) -> str:
        """Where it applies: `app`, `main`, `detail`, `table`, `log`, `ask`."""
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        """The id without its scope."""
        return self.id.partition(".")[2]


ACTIONS: tuple[Action, ...] = (
    Action("app.help", "question_mark,f1", "help", "Show the keys and what they do here.", required=True),
    Action("app.palette", "ctrl+p", "commands", "Open the command palette, which lists what applies here."),
    Action("app.quit", "ctrl+q", "quit", "Leave DebugTUI.", required=True),
    Action("app.pause", "P", "pause", "Freeze the tables; header and clock live on."),
    Action("app.read_now", "r", "read now", "Read every source now, and try lost links again."),
    Action("app.slower", "minus", "slower", "Read half as often."),
    Action("app.faster", "plus", "faster", "Read twice as often."),
    Action("app.copy", "y", "copy", "Copy what is under the cursor: to the terminal's clipboard, and to a file.", Danger.LOCAL),
    Action("app.jump", "o,ctrl+o", "jump", "Show a letter over each pane; press it to go there."),
    Action("app.theme", "f2", "theme", "Switch to the next theme."),
    Action("app.screenshot", "f12", "picture", "Save the screen as an SVG file.", Danger.LOCAL),
    Action("app.repair", "p", "plan", "Plan a repair of the row under the cursor; planning changes nothing.", Danger.WRITE),
    Action("app.diagnosis", "d", "diagnosis", "Show what is at fault, the evidence for it, and what answers it."),
    Action("app.execution", "e", "execution", "Show the newest execution: its steps, its checks, how it ended."),
    Action("app.executions", "E", "executions", "List the executions, and settle one that did not end.", Danger.WRITE),
    Action("app.topology", "T", "topology", "Show what hangs together how, and which service owns what."),
    Action("main.quit", "q", "quit", "Leave DebugTUI."),
    Action("main.pane_1", "1", "hosts", "Go to the hosts."),
    Action("main.pane_2", "2", "VMs", "Go to the VMs."),
    Action("main.pane_3", "3", "locks", "Go to the PostgreSQL locks."),
    Action("main.pane_4", "4", "alerts", "Go to the alerts."),
    Action("main.pane_5", "5", "containers", "Go to the containers."),
    Action("main.pane_6", "6", "Groq", "Go to the Groq pane."),
    Action("main.pane_7", "7", "web", "Go to the web pane."),
    Action("main.zoom", "z", "zoom", "Give the whole screen to the pane, or take it back."),
    Action("main.zoom_host", "h", "one host", "Show only the host under the cursor, or all again."),
    Action("main.next_host", "right_square_bracket", "next host", "Show only the next host."),
    Action("main.previous_host", "left_square_bracket", "previous host", "Show only the previous host."),
    Action("main.databases", "b", "databases", "Open the PostgreSQL screen of the host under the cursor."),
    Action("detail.back", "escape,q", "back", "Go back.", required=True),
    Action("detail.next_tab", "right_square_bracket,tab", "next tab", "Show the next tab."),
    Action("detail.previous_tab", "left_square_bracket,shift+tab", "previous tab", "Show the previous tab."),
    Action("table.up", "up,k", "up", "Move the cursor up."),
    Action("table.down", "down,j", "down", "Move the cursor down."),
    Action("table.page_up", "pageup", "page up", "Move the cursor a page up."),
    Action("table.page_down", "pagedown", "page down", "Move the cursor a page down."),
    Action("table.home", "home,g", "first", "Go to the first row."),
    Action("table.end", "end,G", "last", "Go to the last row."),
    Action("table.select", "enter", "open", "Open the row: its detail screen; a group: fold or unfold it."),
    Action("table.toggle", "space", "fold", "Fold or unfold the group under the cursor."),
    Action("table.filter", "slash", "filter", "Show only rows that hold a text; !text: that do not; /regex/."),
    Action("table.sort", "s", "sort", "Sort by the next column."),
    Action("table.reverse", "S", "reverse", "Reverse the order."),
    Action("log.search", "slash", "search", "Search; a text, or /regex/."),
    Action("log.next", "n", "next", "Go to the next match."),
    Action("log.previous", "N", "previous", "Go to the previous match."),
    Action("log.follow", "f", "follow", "Follow the end, or stay here."),
    Action("log.level", "l", "level", "Show only lines of this level and worse: all, info, warning, error."),
    Action("log.filter", "ampersand", "filter", "Show only lines that hold a text."),
    Action("log.times", "t", "times", "Show or hide the time stamps."),
    Action("log.up", "up,k", "up", "Move up."),
    Action("log.down", "down,j", "down", "Move down."),
    Action("log.page_up", "pageup", "page up", "Move a page up."),
    Action("log.page_down", "pagedown", "page down", "Move a page down."),
    Action("log.home", "home,g", "first", "Go to the first line."),
    Action("log.end", "end,G", "last", "Go to the last line."),
    Action("log.left", "left", "left", "Move left in long lines."),
    Action("log.right", "right", "right", "Move right in long lines."),
)

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}


def in_scope(scope: str) -> tuple[Action, ...]:
    """Return the actions of one scope, in the order of the table."""
    return tuple(action for action in ACTIONS if action.scope == scope)
