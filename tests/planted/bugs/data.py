"""Data: rows that are not those of the chain."""

from __future__ import annotations

from tests.planted.bug import Bug
from tests.planted.bugs.exactly_once import NUMBERS_PAGES_AS_THEY_COME
from tests.planted.bugs.order import LETS_THE_PAST_IN
from tests.planted.bugs.places import (
    PHASE,
    SIM_ROLES,
    SIM_STORE,
    TARGET_PHASES,
    own,
    shipped,
)
from tests.planted.patching import Edit

_GROUP = "data"

BUGS = (
    Bug(
        "a reset is folded like an upsert",
        _GROUP,
        "Columns that a reset does not name keep what they held.",
        (Edit(f"{SIM_STORE}._fold", "if row is None or operation == RESET:", "if row is None:"),),
        shipped("last_writer_wins"),
        ("T1",),
    ),
    Bug(
        "an upsert is folded like a reset",
        _GROUP,
        "Columns that an upsert does not name become NULL.",
        (Edit(f"{SIM_STORE}._fold", "if row is None or operation == RESET:", "if True:"),),
        shipped("last_writer_wins"),
        ("T1",),
    ),
    Bug(
        "an erase leaves a row of NULLs",
        _GROUP,
        "A key that was deleted is still there.",
        (
            Edit(
                f"{SIM_STORE}._fold",
                "values.pop(key, None)",
                "values[key] = self._nulls",
            ),
        ),
        shipped("last_writer_wins"),
        ("T1",),
    ),
    Bug(
        "NULL is taken for untouched",
        _GROUP,
        "A column that is set to NULL keeps its value.",
        (
            Edit(
                f"{SIM_STORE}._fold",
                "{**row, **columns}",
                "{**row, **{k: v for k, v in columns.items() if v is not None}}",
            ),
        ),
        shipped("last_writer_wins"),
        ("T1",),
    ),
    Bug(
        "pages are counted as they come",
        _GROUP,
        "A source numbers its batches by the arrival of pages.",
        NUMBERS_PAGES_AS_THEY_COME,
        shipped("eight_by_five"),
        ("T2",),
    ),
    Bug(
        "another folder is taken for a table",
        _GROUP,
        "Readers see rows of something that is none of the restored tables.",
        (
            Edit(
                "increstore.simulation.world:World.tables",
                "return found",
                'return {".increstore": {}} | found',
            ),
        ),
        shipped("healthy"),
        ("T3",),
    ),
    Bug(
        "files are read in another order the second time",
        _GROUP,
        "A second attempt of a scan finds other rows on the same page.",
        (
            Edit(
                f"{SIM_ROLES}:SimulatedSource._read",
                "pages = world.workload.pages(self.name, scan.incremental)",
                "pages = world.workload.pages(self.name, scan.incremental)"
                "[:: 1 if scan.attempt == 1 else -1]",
            ),
        ),
        own("late_attempts"),
        ("T4",),
    ),
    Bug(
        "what is sealed is changed",
        _GROUP,
        "A late batch is written behind the seal of its incremental.",
        LETS_THE_PAST_IN,
        own("late_batches"),
        ("T5",),
        alone=("T5",),
    ),
    Bug(
        "one target's final rows are enough",
        _GROUP,
        "The coordinator shows the tables when the first target has its final rows.",
        (
            Edit(
                f"{PHASE}.is_over",
                "return not self.asking.contacts",
                "return not self.asking.contacts or (\n"
                "        self.question is Question.FINALIZE and self.answered > 0)",
            ),
            Edit(
                "increstore.protocol.ledger:Ledger.is_publishable",
                "len(self.finalized) == targets",
                "len(self.finalized) > 0",
            ),
            Edit(
                f"{TARGET_PHASES}:objection_to_totals",
                "for table in ledger.topology.tables:",
                "for table in ():",
            ),
        ),
        shipped("healthy"),
        ("T6",),
    ),
    Bug(
        "totals are not compared",
        _GROUP,
        "A table that differs from what the chain promises is shown; the fold has lost resets.",
        (
            Edit(f"{SIM_STORE}._fold", "if row is None or operation == RESET:", "if row is None:"),
            Edit(
                f"{TARGET_PHASES}:objection_to_totals",
                "for table in ledger.topology.tables:",
                "for table in ():",
            ),
        ),
        shipped("last_writer_wins"),
        ("T6",),
        alone=("T6",),
    ),
)
