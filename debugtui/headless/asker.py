"""Asks the operator on the terminal of the command line."""

from __future__ import annotations

import asyncio
import getpass
import sys

from debugtui.config.ask import Asker, HostKeyQuestion, NobodyToAsk, SecretQuestion


class TerminalAsker:
    """Asks on the controlling terminal, one question at a time; standard output stays untouched."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()

    async def secret(self, question: SecretQuestion) -> str | None:
        """Ask for a secret without echo. An empty answer means no."""
        async with self._one:
            prompt = f"{question.name} ({question.purpose}): "
            return await asyncio.to_thread(getpass.getpass, prompt, sys.stderr) or None

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Ask whether to trust a host key; only the word `yes` is a yes."""
        async with self._one:
            return await asyncio.to_thread(_ask_yes, question)


def _ask_yes(question: HostKeyQuestion) -> bool:
    sys.stderr.write(
        f"The key of {question.host} ({question.address}) is not known.\n"
        f"{question.algorithm} {question.fingerprint}\n"
        f"Trust it, and add it to {question.known_hosts}? Type yes: "
    )
    sys.stderr.flush()
    return sys.stdin.readline().strip() == "yes"


def terminal_asker() -> Asker:
    """Return an asker for this process: the terminal where there is one, else nobody."""
    return TerminalAsker() if sys.stdin.isatty() and sys.stderr.isatty() else NobodyToAsk()
