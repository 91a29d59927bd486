"""The judge of a simulated run: every invariant, with the generated chain's model as oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.judging.judge import Judge, JudgeConfig

if TYPE_CHECKING:
    from increstore.scenario.model import Scenario
    from increstore.simulation.setting import Setting


def make_judge(setting: Setting, settled: Scenario) -> Judge:
    """A judge for one run."""
    return Judge(
        setting.workload.topology,
        JudgeConfig(
            scans_in_flight=settled.cluster.scans_in_flight,
            window_batches=setting.source_config.window_batches,
        ),
        setting.workload.model,
    )
