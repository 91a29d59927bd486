"""A stop before anything has begun: while checksums are computed, which may take minutes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from chain.builder import a_shop_with_three_incrementals

FAR_TOO_LONG = 64 << 30
READ_BEFORE_INTERRUPT = 200 << 20
A_BACKGROUND_JOB = """
import signal, time
from increstore.stops import interrupt_when_told
signal.signal(signal.SIGINT, signal.SIG_IGN)
interrupt_when_told()
try:
    print("working", flush=True)
    time.sleep(10)  # Nobody waits so long, unless the stop is not heard.
except KeyboardInterrupt:
    print("stopped")
"""


def swell(collection: Path) -> None:
    """Make the first data file so long, by a hole, that its checksum takes far too long."""
    manifest = next(collection.glob("*_full/manifest.json"))
    facts = json.loads(manifest.read_text(encoding="utf-8"))
    table = min(facts["tables"])
    entry = facts["tables"][table]["files"][0]
    entry["bytes"] = FAR_TOO_LONG
    manifest.write_text(json.dumps(facts), encoding="utf-8")
    os.truncate(manifest.parent / table / entry["path"], FAR_TOO_LONG)


def bytes_read(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar:"))


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux's count of bytes read")
@pytest.mark.parametrize(
    ("words", "how"),
    [
        (["restore", "--into", "restored"], signal.SIGINT),
        (["restore", "--into", "restored"], signal.SIGTERM),
        (["restore", "--into", "restored", "--dry-run"], signal.SIGTERM),
        (["chain"], signal.SIGHUP),
    ],
)
def test_a_stop_while_checksums_are_computed_ends_at_once(tmp_path, words, how):
    shop = a_shop_with_three_incrementals(tmp_path)
    swell(shop.path)
    command = [sys.executable, "-m", "increstore", *words, shop.path]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as running:
        try:
            while bytes_read(running.pid) < READ_BEFORE_INTERRUPT:
                assert running.poll() is None
            running.send_signal(how)
            _, errors = running.communicate(timeout=10)
        finally:
            running.kill()
    assert running.returncode == 7, errors
    assert errors.splitlines()[-1] == "stopped"
    assert not (tmp_path / "restored").exists()


def test_a_job_in_the_background_of_a_script_ignores_ctrl_c_and_still_hears_sigterm():
    """Seen with `increstore backup .. &` in a shell script: SIGTERM went the way of SIGINT."""
    command = [sys.executable, "-c", A_BACKGROUND_JOB]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == "working\n"
        running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGTERM)
        assert running.stdout.read() == "stopped\n"
