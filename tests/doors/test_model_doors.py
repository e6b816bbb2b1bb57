"""Public calls of energies, learning and models under hostile arguments: as `test_doors`."""

import pytest

from tests.doors import energies, learning, models
from tests.doors.check import faults

HERE = energies.DOORS | learning.DOORS | models.DOORS


@pytest.mark.parametrize("name", HERE)
def test_hostile_calls_end_right_refused_or_marked(name):
    assert faults(name, full=False) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in HERE if HERE[name]().heavy])
def test_hostile_solves_end_right_refused_or_marked(name):
    assert faults(name, full=True) == {}
