"""Public calls of engine, signals, analysis and plots under hostile arguments: right, refused by
name, or marked; never a number that means nothing."""

import pytest

from tests.doors import analysis, engine, plots, signals
from tests.doors.check import faults
from tests.doors.names import without_door

HERE = engine.DOORS | signals.DOORS | plots.DOORS | analysis.DOORS


def test_every_public_name_has_a_door():
    assert without_door() == []


@pytest.mark.parametrize("name", HERE)
def test_hostile_calls_end_right_refused_or_marked(name):
    assert faults(name, full=False) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in HERE if HERE[name]().heavy])
def test_hostile_solves_end_right_refused_or_marked(name):
    assert faults(name, full=True) == {}
