"""What a shrinking leaves: a scenario file, and how to see its failure again.

When what is left of chance cannot be said as faults, the file alone does not fail: then a journal
goes with it, which holds the tape of its draws, and which `increstore replay` runs again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from increstore.errors import StorageFailed, UsageError
from increstore.proving.journalled import Recorded, write_journal
from increstore.proving.shrink import shrink
from increstore.proving.verdict import quoted
from increstore.proving.written_down import modes_of
from increstore.scenario.load import load_scenario
from increstore.scenario.text import to_toml

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.proving.shrink import Shrunk
    from increstore.proving.verdict import Verdict
    from increstore.scenario.model import Scenario


@dataclass(frozen=True, slots=True)
class ShrunkFile:
    """A shrunk failure on disk. `journal` is None when the scenario file alone fails."""

    verdict: Verdict
    """Of the run that was shrunk."""
    shrunk: Shrunk
    path: Path
    journal: Path | None

    def command(self) -> str:
        """What to type to see the shrunk failure."""
        if self.journal is not None:
            return f"increstore replay {quoted(str(self.journal))}"
        return f"increstore run {quoted(str(self.path))} --on simulation"

    def as_text(self) -> str:
        shrunk = self.shrunk
        note = (
            f"{shrunk.faults_before} faults to {len(shrunk.scenario.faults)}, "
            f"{shrunk.draws_before} draws to {shrunk.draws_after}, {shrunk.runs} runs"
        )
        if self.journal is not None:
            note += f"; it takes draws that no fault can say: they are in {self.journal}"
        return f"shrunk to {self.path}: {note}"

    def as_json(self) -> dict[str, Any]:
        """One line of `--json` (docs/JSON.md)."""
        failure, shrunk = self.shrunk.failure, self.shrunk
        return {
            "event": "shrunk",
            "scenario": self.verdict.scenario,
            "seed": self.verdict.seed,
            "crash_at": list(self.verdict.crash_at),
            "failure": failure.as_json(),
            "path": str(self.path),
            "journal": None if self.journal is None else str(self.journal),
            "faults": {"before": shrunk.faults_before, "after": len(shrunk.scenario.faults)},
            "draws": {"before": shrunk.draws_before, "after": shrunk.draws_after},
            "runs": shrunk.runs,
            "replay": self.command(),
        }


def shrink_to_file(verdict: Verdict, folder: Path, say: Callable[[str], None]) -> ShrunkFile:
    """Shrink a failing run of a scenario file, and write what is left of it into the folder.

    Raises: UsageError when the run does not fail again; StorageFailed when a file cannot be
    written.
    """
    shrunk = shrink(load_scenario(Path(verdict.scenario)), verdict, say)
    if shrunk is None:
        raise UsageError(
            f"{verdict.scenario}: seed {verdict.seed} does not fail again; was the file changed "
            "meanwhile?"
        )
    path = folder / f"{Path(verdict.scenario).stem}-seed{verdict.seed}-shrunk.toml"
    text = to_toml(_titled(shrunk, verdict))
    _write(path, text)
    journal = None if shrunk.fails_alone else path.with_suffix(".jsonl")
    if journal is not None:
        seed, crash_at, tape = verdict.seed, shrunk.crash_at, shrunk.tape
        write_journal(Recorded(str(path), text, seed, crash_at, tape), journal)
    return ShrunkFile(verdict, shrunk, path, journal)


def _titled(shrunk: Shrunk, verdict: Verdict) -> Scenario:
    """The shrunk scenario says what it is, and runs anywhere."""
    failure = shrunk.failure
    return shrunk.scenario.model_copy(
        update={
            "title": f"{failure.what}, from {Path(verdict.scenario).name} seed {verdict.seed}"[:98],
            "why": failure.says,
            "on": modes_of(shrunk.scenario),
        }
    )


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageFailed(f"{path}: cannot be written ({error.strerror})") from error
