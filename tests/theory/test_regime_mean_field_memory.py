"""The study of one memory in mean field, made small, against the closed forms."""

import numpy as np
import pytest

from experiments.common.settings import prepared
from theory.closed_forms import critical_slowing, mean_field
from theory.regimes import mean_field_memory as study

pytestmark = pytest.mark.study

SMALL = study.Config(step=0.1, rates=8, paths=1, copies=300, temperatures=(0.09, 0.12))


@pytest.mark.slow
def test_the_memory_appears_at_the_pitchfork():
    result = study.pitchfork(SMALL)
    np.testing.assert_allclose(result["pitchfork"], [1.0], atol=1e-9)
    np.testing.assert_array_equal(result["none_stable"], result["none_p"] < 1)
    for name, sign in (("plus", 1), ("minus", -1)):
        m = mean_field.magnetisation(result[f"{name}_p"])
        np.testing.assert_allclose(sign * result[f"{name}_m"], m, atol=1e-8)
        assert result[f"{name}_stable"].all()


@pytest.mark.slow
def test_a_memory_goes_at_a_fold_in_the_field():
    result = study.in_field(SMALL)["folds"]
    np.testing.assert_allclose(result, study.exact_folds(study.FIELDS), atol=1e-8)


@pytest.mark.slow
def test_return_slows_as_the_normal_form_says():
    result = study.slowing(SMALL)
    np.testing.assert_allclose(result["measured"], result["expected"], rtol=1e-4)
    np.testing.assert_allclose(result["linear"], result["expected"], rtol=1e-9)
    near = np.abs(result["beta"] - 1) < 0.01
    assert near.sum() == 2  # one on each side
    law = -critical_slowing.pitchfork_slope(result["beta"][near] - 1)
    np.testing.assert_allclose(result["measured"][near], law, rtol=0.02)


@pytest.mark.slow
def test_noise_takes_the_exact_mean_time_over_the_barrier():
    assert study.mean_time(0.05, 0.0) < study.mean_time(0.05, 0.1)
    result = study.escape(SMALL)
    away = (result["time"] - result["time_seen"]) / result["time_error"]
    assert np.abs(away).max() < 3.5
    assert (result["time_error"] < 0.07 * result["time"]).all()
    slope = np.diff(np.log(result["time_kramers"])) / np.diff(1 / result["temperature"])
    np.testing.assert_allclose(slope, mean_field.barrier(study.COLD), rtol=1e-9)


@pytest.mark.slow
def test_the_barrier_is_that_of_the_closed_form():
    result = study.barriers(SMALL)
    np.testing.assert_allclose(
        result["barrier"], mean_field.barrier(result["barrier_beta"]), atol=1e-10
    )


def test_a_quick_run_is_smaller():
    quick = prepared(study.Config(quick=True))
    assert quick.copies < study.Config().copies and len(quick.temperatures) == 3
