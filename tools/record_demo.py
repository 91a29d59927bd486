"""Make the README's picture: what `increstore demo` really printed on a terminal, as an SVG.

    .venv/bin/python tools/record_demo.py

The command runs on a pseudo-terminal, so it colours its text as it does for a person; `--plain`
keeps it to one fact a line, which a still picture can show.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(sys.executable).with_name("increstore")
# A picture must not fetch anything: the fonts that are there will do.
_FONT_FACES = re.compile(r"@font-face \{\{.*?\}\}", re.DOTALL)
_ERASE_LINE = "\x1b[K"


def main() -> int:
    options = _options()
    output, code = run_on_terminal([PROGRAM, "demo", "--plain"], options.width)
    if code:
        print(output, file=sys.stderr)
        print(f"increstore demo ended with exit code {code}: no picture made", file=sys.stderr)
        return 1
    # Where this checkout lies is nobody's business but its owner's.
    shown = last_state_of_lines(output).replace(f"{ROOT}{os.sep}", "")
    text = Text.from_ansi(f"$ make demo\n{shown}")
    options.out.write_text(as_svg(text, options.width), encoding="utf-8")
    print(f"{options.out}: {len(text.plain.splitlines())} lines")
    return 0


def run_on_terminal(command: list[str | Path], width: int) -> tuple[str, int]:
    """Everything that `command` writes to a terminal of that width, and its exit code."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(width)}
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    parts = []
    while part := _read(ours):
        parts.append(part)
    os.close(ours)
    return b"".join(parts).decode(), process.wait()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        return b""  # Linux says EIO where the last writer of a terminal has left.


def last_state_of_lines(output: str) -> str:
    """Each line as it was left: what a progress text wrote over is gone."""
    lines = output.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rpartition("\r")[2].replace(_ERASE_LINE, "") for line in lines).rstrip()


def as_svg(text: Text, width: int) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(text, soft_wrap=False)
    format_without_fonts = _FONT_FACES.sub("", CONSOLE_SVG_FORMAT)
    return console.export_svg(title="increstore", code_format=format_without_fonts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "demo.svg")
    parser.add_argument("--width", type=int, default=96)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
