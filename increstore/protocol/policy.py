"""The coordinator's policy: how many at once, how often to ask, how long to wait, when to give up.

The shards report causes; everything decided about them comes from here.
"""

from __future__ import annotations

from dataclasses import dataclass

_SECOND = 1_000_000_000
_JITTER_STEPS = 1024
_HASH_OFFSET = 0xCBF29CE484222325  # FNV-1a: the same on every machine, unlike hash().
_HASH_PRIME = 0x100000001B3
_HASH_MIXER = 0xFF51AFD7ED558CCD
_HASH_MODULUS = 1 << 64


@dataclass(frozen=True, slots=True)
class CoordinatorConfig:
    """Times in nanoseconds. A deadline of None is off."""

    scans_in_flight: int = 32
    """Shards asked at once that have not answered; -1 for no bound. `OperatorAsked("cap")`
    changes it for the next one asked; what is under way goes on."""
    repeat_ns: int = _SECOND
    """Silence after which a shard is asked again."""
    retries_max: int = 5
    """Failures in a row without progress, of one shard in one incremental, before a pause."""
    backoff_ns: int = 2 * _SECOND
    backoff_max_ns: int = 8 * _SECOND
    overall_deadline_ns: int | None = None
    """Since the restore was accepted, or resumed by a person after a pause or failure."""
    stage_deadline_ns: int | None = None
    """Since the incremental (or the finalizing) began, or was resumed by a person."""

    def __post_init__(self) -> None:
        assert is_cap(self.scans_in_flight)
        assert self.repeat_ns > 0
        assert self.retries_max >= 0
        assert 0 < self.backoff_ns <= self.backoff_max_ns

    def backoff(self, failures: int, shard: str, attempt: int) -> int:
        """How long to wait after so many failures in a row (1-based): 2, 4, 8, 8.. s and jitter.

        The jitter is up to a quarter more and depends on the shard and attempt only, so that
        shards that failed together do not come back together and a replay waits the same.
        """
        assert failures >= 1
        doublings = min(failures - 1, 62)
        delay = min(self.backoff_ns << doublings, self.backoff_max_ns)
        return delay + delay // 4 * _draw(shard, attempt) // _JITTER_STEPS

    @property
    def backoff_longest_ns(self) -> int:
        """No wait between two attempts is longer than this."""
        return self.backoff_max_ns + self.backoff_max_ns // 4


def is_cap(value: int) -> bool:
    """Whether `value` may bound the scans in flight."""
    return value == -1 or value >= 1


def _draw(shard: str, attempt: int) -> int:
    """0.._JITTER_STEPS - 1, fixed for a shard and attempt."""
    state = _HASH_OFFSET
    for byte in f"{shard}#{attempt}".encode():
        state = (state ^ byte) * _HASH_PRIME % _HASH_MODULUS
    # Without a last mixing, names that differ in their number only would draw almost the same.
    state = (state ^ (state >> 33)) * _HASH_MIXER % _HASH_MODULUS
    return (state >> 32) % _JITTER_STEPS
