"""Whole restores of real cores in a hostile world: whatever happens, the outcome is the same."""

from __future__ import annotations

import pytest

from .world import SECOND, Luck, World


def test_a_world_without_faults_completes_at_once():
    world = World(seed=1).run(within=20 * SECOND)

    assert world.sent["CompletionNotification"] == 12  # 2 tables, 2 sources, 3 incrementals.


LUCK = {
    "loss": Luck(loss=200),
    "duplicates": Luck(duplicate=300),
    "late messages": Luck(reorder=100),
    "slow links": Luck(latency_ms_max=2500),
    "crashes": Luck(crash=15),
    "failing pages": Luck(page_failure=200),
    "everything": Luck(loss=80, duplicate=80, reorder=40, crash=8, page_failure=60, latency_ms_max=400),
}


@pytest.mark.parametrize("kind", LUCK)
@pytest.mark.parametrize("first_seed", range(0, 60, 20))
def test_every_restore_completes_with_each_batch_applied_exactly_once(kind, first_seed):
    """O1, O2, O5, E1 to E5, C1 to C5, S3, D3, R1, R2, R4, L1 to L3: the checkers of the world."""
    for seed in range(first_seed, first_seed + 20):
        World(seed, LUCK[kind]).run()
