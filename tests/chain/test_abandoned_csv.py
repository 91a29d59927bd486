"""Who stops in the middle of a CSV file, and keeps hold of it, still ends well."""

from __future__ import annotations

import subprocess
import sys

import pytest

HOLD = """
import sys
from pathlib import Path
from increstore.chain.csv_text import CsvText
batches = CsvText(Path(sys.argv[1])).batches()
if sys.argv[2] == "begun":
    next(batches)
elif sys.argv[2] == "refused":
    try:
        list(batches)
    except Exception as error:
        kept = error
print("held")
"""


@pytest.mark.parametrize("until", ["begun", "refused"])
def test_an_interpreter_ends_that_still_holds_an_unfinished_file(tmp_path, until):
    """Arrow reads ahead in a thread of its own, which then waited in Python for a next batch."""
    path = tmp_path / "rows.csv"
    rows = "".join(f"{key},{'text' * 50}\n" for key in range(100_000))
    path.write_text("key,v\n" + rows + ("1,2,3\n" + rows if until == "refused" else ""))
    ran = subprocess.run(
        [sys.executable, "-c", HOLD, str(path), until],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "held\n", "")
