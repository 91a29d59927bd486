"""Arrow uses the C library's allocator for all that it does, unless the user chose another."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from increstore.runtime.allocator import ARROW_POOL

CHOOSE = "from increstore.runtime.allocator import choose_one_allocator; choose_one_allocator()"
ASK = "import pyarrow; print(pyarrow.default_memory_pool().backend_name)"
KEEP = "from increstore.runtime.allocator import keep_freed_pages as keep; keep()"
CHURN = """
import resource, threading
def churn():
    for _ in range(10):
        [bytearray(b"rows") * (2 << 20) for _ in range(4)]
def faults_of_a_thread():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    thread = threading.Thread(target=churn)
    thread.start()
    thread.join()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults_of_a_thread()
print(faults_of_a_thread())
"""
LOOK = "import sys; from increstore.cli import restore; print('pyarrow' in sys.modules)"


def told_by(code: str, **environment: str) -> str:
    """What a new interpreter prints that runs `code`, without a choice of ours."""
    inherited = {name: value for name, value in os.environ.items() if name != ARROW_POOL}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


needs_glibc = pytest.mark.skipif(
    "CS_GNU_LIBC_VERSION" not in getattr(os, "confstr_names", {}), reason="needs glibc"
)


@needs_glibc
def test_arrow_is_told_to_use_the_allocator_that_we_tune():
    assert told_by(f"{CHOOSE}; {ASK}") == "system"
    assert told_by(ASK) != "system", "or nothing would be shown"


def test_the_choice_of_the_user_stays():
    assert told_by(f"{CHOOSE}; {ASK}", **{ARROW_POOL: "mimalloc"}) == "mimalloc"


def test_it_is_chosen_before_arrow_is_imported():
    assert told_by(LOOK) == "False"


@needs_glibc
def test_what_one_thread_has_freed_the_next_one_does_not_fault_in_again():
    pages = 10 * 4 * (8 << 20) // os.sysconf("SC_PAGE_SIZE")
    assert int(told_by(f"{KEEP}\n{CHURN}")) < pages / 10
    assert int(told_by(CHURN)) > pages / 2, "or nothing would be shown"


def test_the_allocator_is_told_before_arrow_is_imported():
    """The first pages are read long before the whole program is there."""
    assert told_by(f"{KEEP}; {LOOK}") == "False"
