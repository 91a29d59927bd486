"""Run simulated seeds twice, in two processes that differ in all that must not matter.

    python tools/twice.py scenarios --seeds 0..99

The processes have another hash seed, working folder, size of the environment, and heap. Every
seed must give the same digest in both; of the first that does not, both journals are written and
their first different event is shown. Exit codes: 0 equal, 5 different, 2 usage.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

LANES = (
    {"hash_seed": "0", "environment_bytes": 0, "heap_objects": 0},
    {"hash_seed": "4242", "environment_bytes": 30_000, "heap_objects": 150_007},
)

CHILD = """
import sys
heap = [object() for _ in range(int(sys.argv[1]))]
del heap[::3]  # Holes, so that new objects lie elsewhere.
sys.argv = ["increstore", *sys.argv[2:]]
from increstore.cli import main
main()
"""


def start(lane: dict[str, Any], folder: Path, arguments: list[str]) -> subprocess.Popen[str]:
    """The command in a process of this lane's kind."""
    environment = {
        **os.environ,
        "PYTHONHASHSEED": lane["hash_seed"],
        "INCRESTORE_PADDING": "x" * lane["environment_bytes"],
    }
    command = [sys.executable, "-c", CHILD, str(lane["heap_objects"]), *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, encoding="utf-8",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def in_both_lanes(arguments: list[str]) -> list[str]:
    """The standard output of the command in each lane, run beside each other."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        folders = [Path(one), Path(two) / "a" / "deeper" / "folder"]
        folders[1].mkdir(parents=True)
        running = [
            start(lane, folder, arguments) for lane, folder in zip(LANES, folders, strict=True)
        ]
        outputs = [process.communicate() for process in running]
    for process, (_, complaints) in zip(running, outputs, strict=True):
        if process.returncode not in (0, 5, 6):
            sys.exit(f"the command ended with {process.returncode}:\n{complaints}")
    return [output for output, _ in outputs]


def digests_of(output: str) -> dict[tuple[str, int], str]:
    """Digest by scenario and seed, from the lines of `--json`."""
    lines = map(json.loads, output.splitlines())
    return {(v["scenario"], v["seed"]): v["digest"] for v in lines if v["event"] == "verdict"}


def show_difference(scenario: str, seed: int) -> None:
    """Both journals of one run, and the first event that differs."""
    with tempfile.TemporaryDirectory() as folder:
        journals = [Path(folder) / f"{number}.jsonl" for number in (1, 2)]
        for lane, journal in zip(LANES, journals, strict=True):
            arguments = ["run", scenario, "--on", "simulation", "--seed", str(seed)]
            start(lane, Path(folder), [*arguments, "--journal", str(journal)]).communicate()
        replay = [sys.executable, "-m", "increstore", "replay", str(journals[0])]
        subprocess.run([*replay, "--diff", str(journals[1])], check=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("scenarios", nargs="+", type=Path, help="scenario files or folders")
    parser.add_argument("--seeds", default="0..9", help="A..B, both ends included")
    arguments = parser.parse_args()
    paths = [str(path.resolve()) for path in arguments.scenarios]
    command = ["run", *paths, "--on", "simulation", "--seeds", arguments.seeds, "--json"]
    first, second = map(digests_of, in_both_lanes(command))
    different = [run for run in first if first[run] != second.get(run)]
    print(f"{len(first)} runs, each in two processes: {len(different)} different")
    if not first or first.keys() != second.keys():
        print("the two processes did not make the same runs")
        return 5
    if different:
        print(f"first: {different[0][0]} seed {different[0][1]}")
        show_difference(*different[0])
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
