"""PostgreSQL refuses to run as root: how root runs it all the same, without making a user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_UNSHARE = "unshare"
_BOUND = ("setpriv", "--pdeathsig", "INT", "--")
_ACCOUNTS = ("postgres", "nobody")
_PROBE_LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class RunAs:
    """How the server's programs are started.

    Attributes:
        prefix: what stands before the command.
        user, group: ids to take on; None: stay who we are.
    """

    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return the command with what must stand before it."""
        return [*self.prefix, *argv]

    def server(self, argv: Sequence[str]) -> list[str]:
        """Return the command of a server that ends with us, even if we are killed (Linux, where `setpriv` is installed)."""
        return self.command([*(_BOUND if shutil.which(_BOUND[0]) else ()), *argv])

    def own(self, *folders: Path) -> None:
        """Give folders to whoever the server runs as."""
        if self.user is not None and self.group is not None:
            for folder in folders:
                os.chown(folder, self.user, self.group)


def choose() -> RunAs | None:
    """Return how to start the server; None: there is no way (root, no user namespaces, no unprivileged account)."""
    if os.geteuid() != 0:
        return RunAs()
    accounts = [account for account in map(_account, _ACCOUNTS) if account is not None]
    if shutil.which(_UNSHARE):
        for account in accounts:
            if _works(prefix := _mapped(account)):
                return RunAs(prefix=prefix)
    return RunAs(user=accounts[0].pw_uid, group=accounts[0].pw_gid) if accounts else None


def _account(name: str) -> pwd.struct_passwd | None:
    """Return an account without privileges, where this machine has it."""
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        return None
    return account if account.pw_uid != 0 else None


def _mapped(account: pwd.struct_passwd) -> tuple[str, ...]:
    # A number that no account has would not do: initdb looks its own name up.
    return (_UNSHARE, "--user", f"--map-user={account.pw_uid}", f"--map-group={account.pw_gid}", "--")


def _works(prefix: Sequence[str]) -> bool:
    """Whether this kernel lets us be another user in a namespace of our own."""
    try:
        done = subprocess.run([*prefix, "true"], capture_output=True, timeout=_PROBE_LIMIT, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
