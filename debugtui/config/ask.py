"""Questions that only the operator can answer: a passphrase, a password, an unknown host key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SecretQuestion:
    """A secret that is missing. `name` says which (`passphrase of ~/.ssh/id_ed25519`), `purpose` what it is needed for.

    `entry` is where the operator may keep it in their keyring, `service/user`; empty: it is never kept.
    """

    name: str
    purpose: str
    entry: str = ""


@dataclass(frozen=True, slots=True)
class HostKeyQuestion:
    """A host key that no known_hosts file holds.

    `fingerprint` is OpenSSH's form (`SHA256:...`), `algorithm` such as `ssh-ed25519`, `known_hosts` the file that would get it.
    """

    host: str
    address: str
    algorithm: str
    fingerprint: str
    known_hosts: str


class Asker(Protocol):
    """Whoever can ask the operator: the screen, the command line, or nobody."""

    async def secret(self, question: SecretQuestion) -> str | None:
        """Ask for a secret in a masked field. None: refused, or nobody is there to ask."""
        ...

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Ask whether to trust a key for this and later connections. False: refused, or nobody is there to ask."""
        ...


class NobodyToAsk:
    """The asker of unattended runs: every answer is no."""

    async def secret(self, question: SecretQuestion) -> str | None:
        """Return None."""
        return None

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Return False."""
        return False
