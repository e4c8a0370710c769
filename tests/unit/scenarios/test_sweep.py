"""What a lab leaves whose owner was killed the hard way, and how that is removed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.scenarios.lab import sweep


def lab(where: Path, owner: str) -> Path:
    folder = where / f"{sweep.PREFIX}one"
    folder.mkdir()
    (folder / "owner").write_text(owner)
    return folder


def test_a_lab_whose_owner_lives_is_left_alone(tmp_path: Path) -> None:
    folder = lab(tmp_path, "")
    sweep.sign(folder)
    assert sweep.sweep(tmp_path) == []
    assert folder.exists()


def test_a_lab_that_was_only_just_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / f"{sweep.PREFIX}new").mkdir()
    assert sweep.sweep(tmp_path) == []


def test_a_lab_without_its_owner_goes_with_its_processes(tmp_path: Path) -> None:
    # The owner's number is another process's now: it began at another time.
    folder = lab(tmp_path, f"{os.getpid()} 1")
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", f"{folder}/data"])
    stands = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], cwd=folder)
    try:
        assert set(sweep.processes(folder)) == {left.pid, stands.pid}
        assert len(sweep.leftovers(folder)) == 3
        assert sweep.sweep(tmp_path) == [folder]
        assert left.wait(10) != 0
        assert stands.wait(10) != 0
    finally:
        left.kill()
        stands.kill()
    assert sweep.leftovers(folder) == []
