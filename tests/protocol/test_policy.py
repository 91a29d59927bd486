"""Backoff and jitter, by integer arithmetic only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from increstore.protocol.policy import CoordinatorConfig

from .builders import SECOND


@given(st.integers(1, 10_000), st.text(max_size=30), st.integers(1, 10_000))
def test_a_backoff_is_between_its_step_and_a_quarter_more(failures, shard, attempt):
    config = CoordinatorConfig()
    step = min(2 << min(failures - 1, 10), 8) * SECOND

    assert step <= config.backoff(failures, shard, attempt) < step * 5 // 4
    assert config.backoff(failures, shard, attempt) <= config.backoff_longest_ns


def test_shards_that_fail_together_come_back_apart():
    config = CoordinatorConfig()
    waits = {config.backoff(1, f"orders/s{i}", 1) for i in range(100)}

    assert len(waits) > 80


def test_the_same_failure_waits_the_same_time_in_every_process():
    """M1: a hash that differs between processes would break every replay."""
    assert CoordinatorConfig().backoff(1, "orders/s2", 3) == 2_257_324_218


@pytest.mark.parametrize(
    "wrong",
    [
        {"scans_in_flight": 0},
        {"scans_in_flight": -2},
        {"repeat_ns": 0},
        {"retries_max": -1},
        {"backoff_ns": 9 * SECOND},
    ],
)
def test_a_config_that_cannot_work_is_refused(wrong):
    with pytest.raises(AssertionError):
        CoordinatorConfig(**wrong)
