"""In a browser: what serves it speaks to the dashboard through pipes, not through a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.tui.terminal import ROOT

WEB = {"TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver", "COLUMNS": "80", "ROWS": "24"}
QUIT = json.dumps({"type": "quit"}).encode()


def test_the_dashboard_opens_through_pipes_and_leaves_when_the_tab_is_closed():
    command = [sys.executable, "-m", "increstore", "watch", "scenarios/silent_source.toml"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **WEB},
        cwd=ROOT,
    ) as process:
        assert process.stdout.readline() == b"__GANGLION__\n", process.stderr.read()
        painted = b""
        while b"sources" not in painted:
            more = process.stdout.read1(65_536)
            assert more, "it ended before it painted anything"
            painted += more

        rest, said = process.communicate(b"M" + len(QUIT).to_bytes(4, "big") + QUIT, timeout=60)

    assert process.returncode == 0, (rest[-500:], said)
