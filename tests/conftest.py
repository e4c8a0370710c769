"""Fixtures of every room; the real services live in tests/services, one file each."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

# Textual reads these when it is imported; screens must look the same on every machine.
os.environ.update(TEXTUAL_ANIMATIONS="none", COLORTERM="truecolor", TERM="xterm-256color", TZ="UTC")
os.environ.pop("NO_COLOR", None)
time.tzset()

pytest_plugins = [
    "tests.screens.snapshot",
    "tests.services.docker_engine",
    "tests.services.libvirt_host",
    "tests.services.postgres_server",
    "tests.services.ssh_server",
]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """In CI a test that does not run proves nothing: a skip is a failure there."""
    report: pytest.TestReport = yield  # type: ignore[misc] # the hook's result
    if os.environ.get("CI") and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report  # type: ignore[return-value]
