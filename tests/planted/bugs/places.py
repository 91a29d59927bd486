"""Where bugs are planted, and what they are hunted with: names that many of them share."""

from __future__ import annotations

from tests.planted.bug import Seeds

COORDINATOR = "increstore.protocol.coordinator:Coordinator"
DESK = "increstore.protocol.desk:Desk"
LEDGER = "increstore.protocol.ledger:Ledger"
PHASE = "increstore.protocol.phase:Phase"
ASKING = "increstore.protocol.asking:Asking"
SCAN_PHASE = "increstore.protocol.scan_phase:ScanPhase"
TARGET_PHASES = "increstore.protocol.target_phases"
FENCE = "increstore.protocol.fence:Fence"
SOURCE_SHARD = "increstore.protocol.source_shard:SourceShard"
SOURCE_SCAN = "increstore.protocol.source_scan:SourceScan"
STREAM = "increstore.protocol.stream:ChangeStream"
PAGES = "increstore.protocol.pages:PagesAhead"
TARGET_SHARD = "increstore.protocol.target_shard:TargetShard"
TARGET_STREAM = "increstore.protocol.target_stream:TargetStream"
STREAM_TABLE = "increstore.protocol.target_stream:StreamTable"
CHAIN_POSITION = "increstore.protocol.chain_position:ChainPosition"
SIM_ROLES = "increstore.simulation.roles"
SIM_KEEPERS = (
    f"{SIM_ROLES}:SimulatedTarget",
    "increstore.simulation.coordinator:SimulatedCoordinator",
)
"""The roles that keep records; each has code of its own for what every event runs."""
SIM_STORE = "increstore.simulation.store:SimulatedStore"
SIM_DISK = "increstore.simulation.disk:Disk"

OWN = "tests/planted/scenarios"
STORM = Seeds(f"{OWN}/storm.toml", 30)


def shipped(name: str, runs: int = 10) -> Seeds:
    """A scenario that is shipped, by its name."""
    return Seeds(f"scenarios/{name}.toml", runs)


def own(name: str, runs: int = 20) -> Seeds:
    """A scenario made for planted bugs, by its name."""
    return Seeds(f"{OWN}/{name}.toml", runs)
