"""A run's folder is gone with the run, also when the interruption meets the removal itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from increstore.errors import ExitCode
from increstore.proving.folders import run_folder

INTERRUPTED_WHILE_REMOVING = """
import shutil
from increstore.proving import folders, workers

def interrupted_run():
    with folders.run_folder() as folder:
        (folder / "rows").write_text("of a run")
        print(folder, flush=True)
        # From here on the removal of anything is interrupted, once.
        remove, shutil.rmtree = shutil.rmtree, interrupt
        interrupt.then = remove

def interrupt(*_):
    shutil.rmtree = interrupt.then
    raise KeyboardInterrupt

{work}
"""


def test_a_folder_is_there_for_the_block_and_gone_after_it():
    with run_folder() as folder:
        (folder / "deep").mkdir()
        assert folder.stat().st_mode & 0o077 == 0, "others may not read what a run restores"
    assert not folder.exists()


def test_a_folder_is_gone_when_the_block_fails():
    with pytest.raises(ZeroDivisionError), run_folder() as folder:
        raise ZeroDivisionError
    assert not folder.exists()


@pytest.mark.parametrize(
    ("work", "code"),
    [
        ("workers.work(interrupted_run)", ExitCode.PAUSED),
        ("try:\n    interrupted_run()\nexcept KeyboardInterrupt:\n    pass", 0),
    ],
)
def test_an_interrupted_removal_is_made_up_for_before_the_process_ends(tmp_path, work, code):
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_REMOVING.format(work=work)],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert ended.returncode == code, ended.stderr
    assert ended.stdout.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
