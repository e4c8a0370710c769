"""Questions to the operator: a missing secret, an unknown host key. The answer that does no harm is always "no"."""

from __future__ import annotations

import asyncio
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from debugtui.config.ask import HostKeyQuestion, SecretQuestion
from debugtui.config.secrets import SecretError, keep
from debugtui.screens.console import Console
from debugtui.widgets.cells import safe

Answer = TypeVar("Answer")

_CSS = """
    align: center middle;
    & > Vertical {
        width: 76; max-width: 96%; height: auto; max-height: 96%; padding: 1 2;
        border: round $border; background: $surface;
    }
    & .title { text-style: bold; color: $text-primary; margin-bottom: 1; }
    & .hint { color: $text-muted; margin-top: 1; }
    & .code { color: $text-accent; }
"""


class SecretScreen(ModalScreen[str | None]):
    """Asks for a secret in a masked field; it is kept in memory for this run, and in the keyring where the operator says so."""

    DEFAULT_CSS = f"SecretScreen {{ {_CSS} }}"
    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "refuse", "No", id="ask.no"),
        Binding("ctrl+k", "keep", "Use it, and keep it in the keyring", id="ask.keep", priority=True),
    ]

    def __init__(self, question: SecretQuestion) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """What is missing, what for, and a masked field."""
        with Vertical():
            yield Static(Content(safe(self._question.name)), classes="title")
            yield Static(Content(f"Needed {safe(self._question.purpose)}."))
            yield Input(password=True)
            yield Static(Content("Kept in memory until you leave, written nowhere. enter: use it   esc: no"), classes="hint")
            if self._question.entry:
                where = f'ctrl+k: use it, and keep it in your keyring, where {{keyring = "{self._question.entry}"}} finds it'
                yield Static(Content(safe(where)), classes="hint", id="keep")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the secret over, and forget it here."""
        event.stop()
        value = event.value
        event.input.clear()
        self.dismiss(value or None)

    async def action_keep(self) -> None:
        """Keep the secret in the keyring, then hand it over; where the keyring refuses, that is said, and the field stays."""
        field = self.query_one(Input)
        if not self._question.entry or not field.value:
            return
        try:
            await keep(self._question.entry, field.value)
        except SecretError as error:
            self.query_one("#keep", Static).update(Content(safe(str(error.problem))))
            return
        value = field.value
        field.clear()
        self.dismiss(value)

    def action_refuse(self) -> None:
        """Give no secret."""
        self.dismiss(None)


class HostKeyScreen(ModalScreen[bool]):
    """Shows the fingerprint of an unknown host key. Only the typed word is a yes."""

    DEFAULT_CSS = f"HostKeyScreen {{ {_CSS} }}"
    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "refuse", "No", id="ask.no")]
    WORD = "trust"

    def __init__(self, question: HostKeyQuestion) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """The host, its fingerprint, where the key would go, and a field for the word."""
        question = self._question
        with Vertical():
            yield Static(Content(f"The key of {safe(question.host)} is not known"), classes="title")
            yield Static(Content(f"{safe(question.address)} shows this {safe(question.algorithm)} key:"))
            yield Static(Content(safe(question.fingerprint)), classes="code")
            yield Static(
                Content(
                    "Compare it with what the host's console prints for ssh-keygen -lf on its public key. "
                    f"Type {self.WORD} to add it to {safe(question.known_hosts)}."
                )
            )
            yield Input(placeholder=self.WORD)
            yield Static(Content("enter: answer   esc: no, do not connect"), classes="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Only the word itself is a yes."""
        event.stop()
        self.dismiss(event.value.strip() == self.WORD)

    def action_refuse(self) -> None:
        """Do not trust it."""
        self.dismiss(False)


class ScreenAsker:
    """Asks on the screen, one question at a time, and never over what the operator is typing."""

    def __init__(self, app: Console) -> None:
        self._app = app
        self._one = asyncio.Lock()

    async def secret(self, question: SecretQuestion) -> str | None:
        """Ask for a secret in a masked field."""
        async with self._one:
            await self._hands_free()
            return await self._shown(SecretScreen(question), None)

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Ask whether to trust a host key."""
        async with self._one:
            await self._hands_free()
            return await self._shown(HostKeyScreen(question), False)

    async def _shown(self, screen: ModalScreen[Answer], no: Answer) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def answered(value: Answer | None) -> None:
            if not answer.done():
                answer.set_result(no if value is None else value)

        self._app.push_screen(screen, answered)
        try:
            return await answer
        finally:
            if (answer.cancelled() or not answer.done()) and screen.is_current:
                screen.dismiss(no)

    async def _hands_free(self) -> None:
        while isinstance(self._app.focused, Input):
            await asyncio.sleep(0.2)
