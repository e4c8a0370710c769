"""What lies where in the demo's private folder. Both processes of the demo know it."""

from __future__ import annotations

from pathlib import Path


class Layout:
    """The paths below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = folder / "keys"
        self.identity, self.known_hosts = self.keys / "id_ed25519", self.keys / "known_hosts"
        self.postgres = folder / "pg"
        self.postgres_socket_dir = folder / "run"
        self.postgres_socket = self.postgres_socket_dir / ".s.PGSQL.5432"
        self.log = folder / "log"

    def docker(self, host: str) -> Path:
        """The socket of a host's engine."""
        return self.folder / host / "docker.sock"

    def node(self, host: str) -> Path:
        """The description of a host's VMs for libvirt's test driver."""
        return self.folder / host / "node.xml"
