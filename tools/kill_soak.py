"""Kill restores with kill -9 at random moments, give the same command again, compare every value.

    python tools/kill_soak.py [--kills 100] [--seed 1] [--rows 300000] [--folder FOLDER]

Each trial restores the demo's chain or a generated larger one, over memory or TCP, and kills the
whole process, or (TCP) one that it has started, at a random moment of a random phase. Then the same
command runs again, at once, and may be killed too. In the end: the rows equal what the chain was
made from, `increstore verify` agrees, nothing that was completed was done again, and no process is
left. The last line says how many kills fell into which phase. Exit code 1 at the first difference.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import increstore
from increstore.chain.backup import TableSource, backup_full, backup_incremental
from increstore.chain.table_writer import FileLimits

PHASES = ("start", "full", "incremental", "seal", "merge", "publish", "end")
KILLED_PHASES = ("full", "incremental", "seal", "merge", "publish")
DEMO = Path(increstore.__file__).parent / "demo" / "airports"
TOKEN_NAME = "INCRESTORE_SOAK"
ORPHANS_GONE_S = 5.0
KILLS_IN_A_TRIAL_MAX = 3


class Failed(Exception):
    """A promise was broken; the message says which."""


@dataclass
class Chain:
    """A collection, and the rows of its tables in the end (None: only `verify` knows them)."""

    name: str
    path: Path
    final: dict[str, pa.Table] = field(default_factory=dict)


def a_generated_chain(folder: Path, rows: int, incrementals: int = 4) -> Chain:
    """Two tables, one of `rows` rows; every incremental upserts and deletes a tenth."""
    dice = np.random.default_rng(7)
    collection, final = folder / "generated.backups", {}
    live = {
        "big/ledger": np.arange(0, rows * 3, 3, dtype=np.int64),
        "notes": np.arange(0, rows // 8, dtype=np.int64),
    }
    for number in range(incrementals + 1):
        sources = []
        for name, ids in live.items():
            if number:
                gone = dice.random(len(ids)) < 0.05
                ids = np.union1d(ids[~gone], dice.integers(0, rows * 3, rows // 40))
            live[name] = ids
            final[name] = _rows(ids, number, dice)
            file = folder / f"{name.replace('/', '-')}.parquet"
            pq.write_table(final[name], file)
            sources.append(TableSource(name, file, None if number else ("id",)))
        limits = FileLimits(group_rows_max=max(100, rows // 40))
        (backup_incremental if number else backup_full)(collection, sources, limits=limits)
    return Chain("generated", collection, final)


def _rows(ids: np.ndarray, number: int, dice: np.random.Generator) -> pa.Table:
    """A value changes with its backup in a tenth of the rows, else it depends on the key only."""
    version = np.where(dice.random(len(ids)) < 0.1, number, 0)
    return pa.table(
        {
            "id": ids,
            "amount": (ids * 31 + version).astype(np.float64),
            "note": pa.array([f"note {a} {b}" for a, b in zip(ids, version, strict=True)]),
        }
    )


class Watched:
    """One run of the command: its events, its phase, and when each phase was entered."""

    def __init__(self, command: list[str], token: str, scans: Counter[int], targets: int) -> None:
        self.events: list[dict[str, Any]] = []
        self.phase = "start"
        self.entered: dict[str, list[float]] = {}
        self._scans, self._targets = scans, targets
        self._reported: Counter[int] = Counter()
        self._finalized = 0
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, TOKEN_NAME: token},
        )

    def follow(self, on_phase: Any) -> tuple[int, str]:
        """Read every event to the end, `on_phase(phase)` at each change; exit code and stderr."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        for line in self.process.stdout:
            if not line.endswith("\n"):
                break  # Torn by the kill.
            event = json.loads(line)
            self.events.append(event)
            phase = self._phase_after(event)
            if phase != self.phase:
                self.phase = phase
                self.entered.setdefault(phase, []).append(time.monotonic())
                on_phase(phase)
        errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return self.process.wait(), errors

    def _phase_after(self, event: dict[str, Any]) -> str:
        match event:
            case {"event": "incremental.started", "incremental": number}:
                return "incremental" if number else "full"
            case {"event": "scan.reported", "status": "success", "incremental": number}:
                self._reported[number] += 1
                return "seal" if self._reported[number] == self._scans[number] else self.phase
            case {"event": "target.sealed"}:
                return "seal"
            case {"event": "incremental.completed"}:
                return "incremental"
            case {"event": "restore.finalizing"}:
                return "merge"
            case {"event": "target.finalized"}:
                self._finalized += 1
                return "publish" if self._finalized == self._targets else "merge"
            case {"event": "restore.completed"}:
                return "end"
        return self.phase

    def numbers(self, name: str) -> list[int]:
        return [event["incremental"] for event in self.events if event["event"] == name]


@dataclass
class Case:
    """A chain on a transport, and what an undisturbed run of it looks like."""

    chain: Chain
    on: str
    scans: Counter[int] = field(default_factory=Counter)
    targets: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def command(self, target: Path) -> list[str]:
        words = ["restore", str(self.chain.path), "--into", str(target), "--on", self.on]
        words += ["--sources", "3", "--targets", "2", "--json"]
        return [sys.executable, "-m", "increstore", *words]

    def measure(self, folder: Path) -> None:
        """How many scans and targets there are, and how long each phase takes."""
        target = folder / "undisturbed"
        run = Watched(self.command(target), "undisturbed", Counter(), 0)
        run.follow(lambda _phase: None)
        self.scans = Counter(run.numbers("scan.reported"))
        self.targets = sum(event["event"] == "target.finalized" for event in run.events)
        shutil.rmtree(target)
        again = Watched(self.command(target), "undisturbed", self.scans, self.targets)
        code, errors = again.follow(lambda _phase: None)
        if code:
            raise Failed(f"the undisturbed restore ended with {code}: {errors}")
        changes = sorted((at, name) for name, ats in again.entered.items() for at in ats)
        for (at, name), (until, _) in itertools.pairwise(changes):
            self.seconds[name] = max(self.seconds.get(name, 0.0), until - at)
        check(self, target)
        shutil.rmtree(target)


@dataclass
class Tally:
    """What was killed: (process or worker) by phase."""

    whole: Counter[str] = field(default_factory=Counter)
    workers: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    """The longest that one run of the command took."""

    @property
    def kills(self) -> int:
        return self.whole.total() + self.workers.total()

    def told(self) -> str:
        parts = [
            f"{phase} {self.whole[phase]}+{self.workers[phase]}"
            for phase in PHASES
            if self.whole[phase] or self.workers[phase]
        ]
        told = f"{self.kills} kills (process+worker): " + ", ".join(parts)
        return f"{told}; slowest run {self.slowest_s:.1f} s"


def trial(case: Case, folder: Path, dice: random.Random, tally: Tally) -> None:
    """One target: killed once or more, run to its end, checked."""
    target, token = folder / "target", uuid.uuid4().hex
    completed: set[int] = set()
    kills = dice.randint(1, KILLS_IN_A_TRIAL_MAX)
    for attempt in range(kills + 1):
        run = Watched(case.command(target), token, case.scans, case.targets)
        victim = _Victim(case, run, token, dice, tally) if attempt < kills else None
        began = time.monotonic()
        code, errors = run.follow(victim or (lambda _phase: None))
        tally.slowest_s = max(tally.slowest_s, time.monotonic() - began)
        if victim is not None:
            victim.settle()
        redone = completed.intersection(run.numbers("incremental.started"))
        redone |= completed.intersection(run.numbers("scan.asked"))
        if redone:
            raise Failed(f"{sorted(redone)} were complete and were begun again")
        completed.update(run.numbers("incremental.completed"))
        if code == 0:
            break
        if code != -signal.SIGKILL:
            raise Failed(f"ended with {code}: {errors}")
    else:
        raise Failed("the last run was not killed and yet did not complete")
    _no_process_is_left(token)
    check(case, target)
    shutil.rmtree(target)


class _Victim:
    """Kills the process or a worker a random while after a random phase was entered."""

    def __init__(
        self, case: Case, run: Watched, token: str, dice: random.Random, tally: Tally
    ) -> None:
        self._run, self._token, self._tally = run, token, tally
        self._phase = dice.choice(KILLED_PHASES)
        self._entries_left = dice.randint(1, 3) if self._phase in ("incremental", "seal") else 1
        self._delay = dice.random() * case.seconds.get(self._phase, 0.0)
        self._of_worker = case.on == "tcp" and dice.random() < 0.4
        self._dice = dice
        self._timer: threading.Timer | None = None
        self._killed_worker: str | None = None
        self._killed_whole = False

    def __call__(self, phase: str) -> None:
        if phase == self._phase and self._timer is None:
            self._entries_left -= 1
            if self._entries_left == 0:
                self._timer = threading.Timer(self._delay, self._kill)
                self._timer.start()

    def _kill(self) -> None:
        pid = self._run.process.pid
        if self._of_worker:
            workers = [other for other in _holders_of(self._token) if other != pid]
            if workers:
                os.kill(self._dice.choice(workers), signal.SIGKILL)
                self._killed_worker = self._run.phase
        elif self._run.process.poll() is None:
            os.kill(pid, signal.SIGKILL)
            self._killed_whole = True

    def settle(self) -> None:
        """Count the kill under the phase of the last event that came out."""
        if self._timer is not None:
            self._timer.join()
        if self._killed_worker is not None:
            self._tally.workers[self._killed_worker] += 1
        elif self._killed_whole:
            self._tally.whole[self._run.phase] += 1


def _no_process_is_left(token: str) -> None:
    until = time.monotonic() + ORPHANS_GONE_S
    while (left := _holders_of(token)) and time.monotonic() < until:
        time.sleep(0.05)
    if left:
        raise Failed(f"processes {left} outlived their parent by {ORPHANS_GONE_S} s")


def _holders_of(token: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if token.encode() in environment:
                found.append(int(folder.name))
    return found


def check(case: Case, target: Path) -> None:
    """The tables hold what the chain was made from, and `increstore verify` says so too."""
    for table, expected in case.chain.final.items():
        files = sorted((target / table).glob("*.parquet"))
        found = pa.concat_tables([pq.ParquetFile(file).read() for file in files])
        # The key's column is marked NOT NULL by a restore, so schemas are not compared.
        if not all(found[name].equals(expected[name]) for name in expected.schema.names):
            raise Failed(f"{target / table}: the rows differ from the last snapshot")
    words = ["verify", str(target), "--against", str(case.chain.path)]
    ended = subprocess.run(
        [sys.executable, "-m", "increstore", *words], capture_output=True, text=True
    )
    if ended.returncode:
        raise Failed(f"verify ended with {ended.returncode}: {ended.stdout}{ended.stderr}")


def soak(chains: list[Chain], folder: Path, kills: int, seed: int, say: Any = print) -> Tally:
    """Trials until so many kills were made. Raises: Failed, naming the trial's seed."""
    cases = [Case(chain, on) for chain in chains for on in ("memory", "tcp")]
    for case in cases:
        case.measure(folder)
    tally, number = Tally(), 0
    while tally.kills < kills:
        case = cases[number % len(cases)]
        try:
            trial(case, folder, random.Random(f"{seed}/{number}"), tally)
        except Failed as failure:
            where = f"seed {seed}, trial {number} ({case.chain.name} on {case.on})"
            raise Failed(f"{where}: {failure}; the target is kept in {folder}") from failure
        number += 1
        say(f"trial {number} ({case.chain.name} on {case.on}): {tally.told()}")
    return tally


def main() -> int:
    """Soak as the arguments say; 1 at the first broken promise."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=300_000, help="rows of the generated chain")
    parser.add_argument("--folder", type=Path, help="work here, and keep it")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="increstore-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        chains = [Chain("demo", DEMO), a_generated_chain(folder, given.rows)]
        tally = soak(chains, folder, given.kills, given.seed)
    except Failed as failure:
        print(f"FAILED: {failure}", file=sys.stderr)
        return 1
    print(f"all restored, all equal: {tally.told()}")
    if given.folder is None:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
