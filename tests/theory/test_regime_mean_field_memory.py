"""The study of one memory in mean field, made small, against the closed forms."""

import dataclasses

import numpy as np
import pytest

from experiments.common import InputError
from theory.closed_forms import critical_slowing, mean_field
from theory.regimes import mean_field_memory as study

pytestmark = pytest.mark.study

SMALL = study.Config(step=0.1, rates=8, paths=1, copies=300, temperatures=(0.09, 0.12))


@pytest.mark.slow
def test_the_memory_appears_at_the_pitchfork():
    found = study.pitchfork(SMALL)
    np.testing.assert_allclose(found["pitchfork"], [1.0], atol=1e-9)
    np.testing.assert_array_equal(found["none_stable"], found["none_p"] < 1)
    for name, sign in (("plus", 1), ("minus", -1)):
        m = mean_field.magnetisation(found[f"{name}_p"])
        np.testing.assert_allclose(sign * found[f"{name}_m"], m, atol=1e-8)
        assert found[f"{name}_stable"].all()


@pytest.mark.slow
def test_a_memory_goes_at_a_fold_in_the_field():
    found = study.in_field(SMALL)["folds"]
    np.testing.assert_allclose(found, study.exact_folds(study.FIELDS), atol=1e-8)


@pytest.mark.slow
def test_return_slows_as_the_normal_form_says():
    found = study.slowing(SMALL)
    np.testing.assert_allclose(found["measured"], found["expected"], rtol=1e-4)
    np.testing.assert_allclose(found["linear"], found["expected"], rtol=1e-9)
    near = np.abs(found["beta"] - 1) < 0.01
    assert near.sum() == 2  # one on each side
    law = -critical_slowing.pitchfork_slope(found["beta"][near] - 1)
    np.testing.assert_allclose(found["measured"][near], law, rtol=0.02)


@pytest.mark.slow
def test_noise_takes_the_exact_mean_time_over_the_barrier():
    assert study.mean_time(0.05, 0.0) < study.mean_time(0.05, 0.1)
    found = study.escape(SMALL)
    away = (found["time"] - found["time_seen"]) / found["time_error"]
    assert np.abs(away).max() < 3.5
    assert (found["time_error"] < 0.07 * found["time"]).all()
    slope = np.diff(np.log(found["time_kramers"])) / np.diff(1 / found["temperature"])
    np.testing.assert_allclose(slope, mean_field.barrier(study.COLD), rtol=1e-9)


@pytest.mark.slow
def test_the_barrier_is_that_of_the_closed_form():
    found = study.barriers(SMALL)
    np.testing.assert_allclose(
        found["barrier"], mean_field.barrier(found["barrier_beta"]), atol=1e-10
    )


def test_bad_arguments_are_named():
    bad = {"rates": 1, "paths": 0, "copies": 1, "step": 0.0, "dt": 1.0, "temperatures": (0.05,)}
    for name, value in bad.items():
        with pytest.raises(InputError, match=name):
            study.check(dataclasses.replace(SMALL, **{name: value}))
    quick = study.check(study.Config(quick=True))
    assert quick.copies < study.Config().copies and len(quick.temperatures) == 3
