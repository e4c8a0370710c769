"""Fixtures of every room; the real services live in tests/services, one file each."""

from __future__ import annotations

import os
import time

from hypothesis import settings

# Textual reads these when it is imported; screens must look the same on every machine, whatever its own settings.
for name in [name for name in os.environ if name.startswith("TEXTUAL")] + ["NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"]:
    os.environ.pop(name, None)
os.environ.update(TEXTUAL_ANIMATIONS="none", COLORTERM="truecolor", TERM="xterm-256color", TZ="UTC")
time.tzset()

# How long an example takes says nothing on a machine that does other things, too.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

pytest_plugins = [
    "tests.no_skips",
    "tests.screens.snapshot",
    "tests.services.docker_engine",
    "tests.services.libvirt_host",
    "tests.services.postgres_server",
    "tests.services.ssh_server",
    "tests.services.nginx_server",  # after the one that it imports
    "tests.services.acme_server",
    "tests.services.prometheus_server",
    "tests.services.journal_files",
    "tests.services.rabbitmq_server",
    "tests.services.redis_server",
]
