"""What all runs of one scenario share: the chain, the cluster and the policy, made once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from increstore.judging.config import JudgeConfig
from increstore.protocol.policy import CoordinatorConfig
from increstore.protocol.source_scan import SourceConfig
from increstore.scenario.director import CompiledScenario, compile_scenario
from increstore.scenario.swarm import is_settled, settle
from increstore.simulation.ambient import Ambient, Span
from increstore.simulation.workload import Workload, build

if TYPE_CHECKING:
    from increstore.scenario.compiled import Draw
    from increstore.scenario.model import PolicySpec, Scenario
    from increstore.scenario.values import Span as SpecSpan

FINGERPRINT = "simulated-plan"


@dataclass(frozen=True, slots=True)
class Setting:
    """One scenario, ready to be run from any seed."""

    scenario: Scenario
    workload: Workload
    compiled: CompiledScenario
    config: CoordinatorConfig
    source_config: SourceConfig
    fingerprint: str
    resume_after_ns: int | None
    resumes_max: int
    judged: JudgeConfig
    """The bounds that the judge of each run holds it to."""
    ambient: Ambient | None
    """The weather of every run; None when chance decides on that of each."""

    def settled(self, draw: Draw) -> tuple[Scenario, Ambient]:
        """The scenario as one run has it, and its weather."""
        if self.ambient is not None:
            return self.scenario, self.ambient
        scenario = settle(self.scenario, draw)
        return scenario, ambient_of(scenario)

    def compiled_for(self, settled: Scenario) -> CompiledScenario:
        """The compiled faults of a settled scenario: ours, unless chance has left some out."""
        if settled.faults == self.scenario.faults:
            return self.compiled
        return compile_scenario(settled)


def prepare_setting(scenario: Scenario) -> Setting:
    """Generate the chain and compile the faults; quick when the same chain was made before."""
    cluster, policy = scenario.cluster, scenario.policy
    workload = build(scenario.workload, cluster.sources, cluster.targets)
    config, sources = coordinator_config(scenario), source_config(policy)
    return Setting(
        scenario=scenario,
        workload=workload,
        compiled=compile_scenario(scenario),
        config=config,
        source_config=sources,
        fingerprint=FINGERPRINT,
        resume_after_ns=policy.resume_after,
        resumes_max=policy.resumes_max,
        judged=JudgeConfig.of(
            config,
            sources,
            oracle=workload.model,
            page_bytes_max=workload.page_bytes_max,
            progress_within_ns=scenario.expect.within,
        ),
        ambient=ambient_of(scenario) if is_settled(scenario) else None,
    )


def coordinator_config(scenario: Scenario) -> CoordinatorConfig:
    """The coordinator's policy as the scenario has it."""
    policy = scenario.policy
    return CoordinatorConfig(
        scans_in_flight=scenario.cluster.scans_in_flight,
        repeat_ns=policy.repeat,
        retries_max=policy.retries_max,
        backoff_ns=policy.backoff,
        backoff_max_ns=policy.backoff_max,
        overall_deadline_ns=policy.overall_deadline,
        stage_deadline_ns=policy.stage_deadline,
    )


def source_config(policy: PolicySpec) -> SourceConfig:
    """The sources' bounds; their patience follows the coordinator's."""
    return SourceConfig(
        pages_ahead=policy.pages_ahead,
        window_batches=policy.window_batches,
        repeat_ns=policy.repeat,
        resend_ns=2 * policy.repeat,
        progress_ns=max(1, policy.repeat // 2),
    )


def ambient_of(scenario: Scenario) -> Ambient:
    """The weather of a settled scenario: every rate is one value."""
    network = scenario.network
    return Ambient(
        is_stream=network.kind == "stream",
        latency=_span(network.latency),
        loss=network.loss.low,
        duplicate=network.duplicate.low,
        reorder=network.reorder.low,
        corrupt=network.corrupt.low,
        truncate=network.truncate.low,
        disk=_span(scenario.disk.latency),
        torn=scenario.disk.torn,
        crash=scenario.nodes.crash.low,
        restart=_span(scenario.nodes.restart_after),
        page_failure=scenario.pages.fail.low,
        heals_at=scenario.heal.at,
    )


def _span(spec: SpecSpan) -> Span:
    return Span(spec.low, spec.high - spec.low)
