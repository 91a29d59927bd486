"""What all simulated roles have in common."""

from __future__ import annotations

import pytest

from increstore.simulation.coordinator import SimulatedCoordinator
from increstore.simulation.nodes import SimulatedNode
from increstore.simulation.roles import SimulatedSource, SimulatedTarget

ROLES = (SimulatedSource, SimulatedTarget, SimulatedCoordinator)


def test_no_two_roles_share_the_code_that_every_event_runs():
    steps = [role._step.__code__ for role in ROLES]

    assert len({id(code) for code in steps}) == len(ROLES)
    assert all(code is not SimulatedNode._step.__code__ for code in steps)


@pytest.mark.parametrize("name", ["handle", "give_later", "_step", "_carry_out", "_arm"])
@pytest.mark.parametrize("role", ROLES)
def test_the_code_of_a_role_does_what_that_of_every_node_does(role, name):
    own, common = getattr(role, name), getattr(SimulatedNode, name)

    assert own.__code__ == common.__code__
    assert own.__defaults__ == common.__defaults__
    assert own.__doc__ == common.__doc__
    assert own.__globals__ is common.__globals__
