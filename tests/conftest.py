"""Fixtures of every room; the real services live in tests/services, one file each."""

pytest_plugins = [
    "tests.services.docker_engine",
    "tests.services.libvirt_host",
    "tests.services.postgres_server",
    "tests.services.ssh_server",
]
