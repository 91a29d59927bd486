"""What is shown on a terminal while a command works: one line, written over, gone at the end."""

from __future__ import annotations

import re

from tests.proving.builders import a_scenario_file
from tests.tui.terminal import Terminal

OVER = re.compile(r"\r\x1b\[K([^\r\n]*)")


def shown(*words, columns):
    """What follows each return to the start of the line, up to its end."""
    with Terminal("increstore", *map(str, words), columns=columns) as terminal:
        assert terminal.ends() == 0
        return OVER.findall(terminal.output.decode())


def test_the_progress_of_a_campaign_stays_on_one_line_of_a_narrow_terminal(tmp_path):
    pieces = shown("run", a_scenario_file(tmp_path), "--seeds", "0..600", columns=40)

    progress = [piece for piece in pieces if not piece.startswith("ok ")]
    assert len(progress) > 1
    assert max(map(len, progress)) < 40


def test_the_progress_of_a_search_is_gone_when_its_result_is_told():
    pieces = shown("explore", "--seconds-max", 2, columns=80)

    assert "steps far" in pieces[0]
    assert re.match(r"[\d,]+ states \([\d,]+ if like shards", pieces[-1])
