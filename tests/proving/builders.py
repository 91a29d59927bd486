"""Scenario files for tests, and a bug to be found in them."""

from __future__ import annotations

import inspect
import textwrap
from contextlib import contextmanager

from increstore.protocol import target_shard

HEADER = 'format = 1\ntitle = "A test"\nwhy = "It tests."\n'


def a_scenario_file(folder, text="", name="a_test.toml"):
    path = folder / name
    path.write_text(HEADER + text, encoding="utf-8")
    return path


@contextmanager
def a_target_that_tells_what_it_has_not_written():
    """While this lasts, a reopened stream is told of batches that are not durable yet."""
    method = target_shard.TargetShard._open_stream
    source = textwrap.dedent(inspect.getsource(method))
    durable = "self.generation, stream.watermark"
    assert source.count(durable) == 1
    namespace: dict = {}
    planted = source.replace(durable, "self.generation, stream.accepted")
    exec(planted, target_shard.__dict__, namespace)
    target_shard.TargetShard._open_stream = namespace["_open_stream"]
    try:
        yield
    finally:
        target_shard.TargetShard._open_stream = method
