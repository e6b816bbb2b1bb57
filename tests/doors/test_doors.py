"""Every public call under hostile arguments: right, refused by name, or marked; never a number that
means nothing."""

import warnings

import jax
import pytest

from tests.doors.count import endings
from tests.doors.names import DOORS, without_door
from tests.doors.remaining import REMAINING


@pytest.fixture(autouse=True)
def whole_traceback():
    """The harness reads where an error was raised: in the package, or further down."""
    before = jax.config.jax_traceback_filtering  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_traceback_filtering", "off")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numpy, at the numbers that are put in
        yield
    jax.config.update("jax_traceback_filtering", before)


def test_every_public_name_has_a_door():
    assert without_door() == []


def _faults(name: str, full: bool) -> dict[tuple[str, str], str]:
    return {
        (argument, value.kind): f"{ending.name}: {ending.text}"
        for argument, value, ending in endings(name, full)
        if ending.name in ("silent", "obscure")
    }


@pytest.mark.parametrize("name", DOORS)
def test_hostile_calls_end_right_refused_or_marked(name):
    faults = _faults(name, full=False)
    known = REMAINING.get(name, set())
    assert {k: v for k, v in faults.items() if " ".join(k) not in known} == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in DOORS if DOORS[name]().heavy])
def test_hostile_calls_of_solves_end_right_refused_or_marked(name):
    faults = _faults(name, full=True)
    known = REMAINING.get(name, set())
    assert {k: v for k, v in faults.items() if " ".join(k) not in known} == {}
