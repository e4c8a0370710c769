"""What CI makes of tests that do not run; pytest itself is started on small modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TESTS = {
    "a skip": "import pytest\ndef test_it(): pytest.skip('no engine here')\n",
    "a mark": "import pytest\n@pytest.mark.skip(reason='no engine here')\ndef test_it(): pass\n",
    "a module that skips itself": "import pytest\npytest.skip('no engine here', allow_module_level=True)\n",
    "a missing module": "import pytest\npytest.importorskip('no_engine_here')\ndef test_it(): pass\n",
    "an expected failure": "import pytest\n@pytest.mark.xfail(reason='no engine here')\ndef test_it(): assert False\n",
    "an unexpected pass": "import pytest\n@pytest.mark.xfail(reason='no engine here')\ndef test_it(): pass\n",
}


def run(folder: Path, text: str, ci: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_small.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.no_skips", "-p", "no:cacheprovider", str(folder)]
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("what", TESTS)
def test_in_ci_it_is_a_failure_that_says_why(tmp_path: Path, what: str) -> None:
    done = run(tmp_path, TESTS[what], ci="true")
    assert done.returncode not in (0, 5)
    assert "in CI, where every test counts" in done.stdout
    assert "no engine here" in done.stdout.replace("_", " ")


def test_elsewhere_a_skip_is_a_skip(tmp_path: Path) -> None:
    assert "1 skipped" in run(tmp_path, TESTS["a skip"], ci="").stdout


def test_in_ci_a_test_that_passes_passes(tmp_path: Path) -> None:
    assert run(tmp_path, "def test_it(): pass\n", ci="true").returncode == 0


def test_a_run_of_nothing_fails(tmp_path: Path) -> None:
    assert run(tmp_path, "", ci="true").returncode != 0
