"""Descriptions of generated chains: any, and those that real restores are tried on."""

from __future__ import annotations

from hypothesis import strategies as st

from increstore.scenario.model import WorkloadSpec

rates = st.sampled_from([0, 20_000, 50_000, 100_000])
some_incrementals = st.sets(st.integers(1, 5), max_size=2).map(lambda found: tuple(sorted(found)))
shards = st.integers(1, 4)


def any_spec():
    """Small ones: few rows find what many do, and sooner."""
    return st.builds(
        WorkloadSpec,
        seed=st.integers(0, 1 << 40),
        tables=st.integers(1, 5),
        incrementals=st.integers(0, 5),
        rows=st.integers(0, 20),
        changes=st.integers(0, 12),
        deletes=rates,
        resets=rates,
        partial=rates,
        empty=some_incrementals,
        unchanged=some_incrementals,
        delete_only=some_incrementals,
        page_rows=st.integers(1, 9),
        keys=st.sampled_from(["int", "text", "composite"]),
    )


CHAINS = {
    "the default": WorkloadSpec(),
    "text keys, two tables": WorkloadSpec(seed=2, tables=2, rows=30, keys="text", partial=60_000),
    "composite keys, four tables": WorkloadSpec(
        seed=3, tables=4, incrementals=4, rows=17, keys="composite", page_rows=3, resets=40_000
    ),
    "nothing, no change and only deletes": WorkloadSpec(
        seed=4, tables=3, incrementals=4, rows=25, empty=(1, 4), unchanged=(2,), delete_only=(3,)
    ),
    "an empty full backup": WorkloadSpec(seed=5, tables=2, incrementals=2, rows=0, changes=5),
    "no row at all": WorkloadSpec(seed=6, incrementals=1, rows=0, changes=0),
    "fewer rows than shards": WorkloadSpec(seed=7, incrementals=2, rows=2, changes=1),
    "every key is deleted": WorkloadSpec(
        seed=8, incrementals=2, rows=10, changes=90, deletes=100_000, page_rows=4
    ),
    "a full backup alone": WorkloadSpec(seed=9, incrementals=0, rows=9),
}
