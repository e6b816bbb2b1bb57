"""The study of the modern Hopfield network, made small, against the closed forms."""

import dataclasses

import numpy as np
import pytest

from experiments.common import InputError
from theory.closed_forms import modern_hopfield as exact
from theory.regimes import modern_memory as study
from theory.regimes.modern_states import exact_barriers, kinds

pytestmark = pytest.mark.study

SMALL = study.Config(patterns=4, betas=3, guesses=60, step=0.15, loop=12, settle=100.0, paths=1)


@pytest.mark.parametrize(("count", "beta"), [(4, 2.5), (4, 3.9), (4, 4.5), (5, 4.9), (6, 5.7)])
def test_kinds_are_all_fixed_points(count, beta):
    found = kinds(beta, count)
    assert sum(kind.number for kind in found) == 1 + exact.census(beta, count).sum()
    for kind in found:
        p = kind.weights
        again = np.exp(beta * p) / np.exp(beta * p).sum()
        np.testing.assert_allclose(again, p, atol=1e-12)  # a fixed point of the softmax
        slopes = np.linalg.eigvalsh(beta * (np.diag(p) - np.outer(p, p)))
        np.testing.assert_allclose(np.sort(1 - slopes), kind.curvatures, atol=1e-12)
        assert (slopes > 1 + 1e-12).sum() == kind.unstable
    # Morse: minima, saddles and so on of a function that grows on all sides
    assert sum(kind.number * (-1) ** kind.unstable for kind in found) == 1


@pytest.mark.slow
def test_all_fixed_points_are_found():
    found = study.census(SMALL)
    assert found["missed"].sum() == 0
    np.testing.assert_array_equal(found["found"], found["expected"])
    assert found["found"][-1].sum() == 15 and found["found"][0].sum() == 1
    for name in ("state", "energy", "curvature"):
        assert found[f"{name}_off"].max() < 1e-9


def test_the_loop_jumps_at_the_fold_and_where_the_mean_goes():
    found = study.slow_loop(SMALL)
    beta, up, down = (np.asarray(found[key]) for key in ("loop_beta", "up", "down"))
    spacing = beta[1] - beta[0]
    start = exact.spinodal(4).b
    memory = exact.branches(beta, 4)[1]
    for weight, jump in ((up, 4.0), (down, start)):
        away = np.abs(beta - jump) > 1.01 * spacing
        expected = np.where(beta > jump, memory, 0.25)
        np.testing.assert_allclose(weight[away], expected[away], atol=3e-3)
    assert ((beta > start + spacing) & (beta < 4 - spacing)).any()  # where they differ


@pytest.mark.slow
def test_branches_and_barriers():
    found = study.branches(SMALL)
    np.testing.assert_allclose(found["fold"], [exact.spinodal(4).b], rtol=1e-9)
    np.testing.assert_allclose(found["mean_crossing"], [4.0], atol=1e-6)
    low, high = exact.branches(found["k1_p"], 4)
    off = np.minimum(np.abs(found["k1_weight"] - low), np.abs(found["k1_weight"] - high))
    assert off.max() < 1e-8
    upper = exact.branches(found["k2_p"], 4, 2)[1]
    np.testing.assert_allclose(found["k2_weight"], upper, atol=1e-8)
    assert not found["k2_stable"].any()
    np.testing.assert_array_equal(found["mean_stable"], found["mean_p"] < 4)
    walls = study.barriers(SMALL)
    lower = exact_barriers(walls["barrier_beta"], 4)
    np.testing.assert_allclose(walls["barrier_out"], lower["out"], atol=1e-9)
    np.testing.assert_allclose(walls["barrier_back"], lower["back"], atol=1e-9)
    swap = exact_barriers(walls["swap_beta"], 4)["swap"]
    np.testing.assert_allclose(walls["barrier_swap"], swap, atol=1e-9)


def test_bad_arguments_are_named():
    bad = {"patterns": 3, "betas": 1, "guesses": 0, "loop": 2, "paths": 0, "step": 0.0, "settle": 0}
    for name, value in bad.items():
        with pytest.raises(InputError, match=name):
            study.check(dataclasses.replace(SMALL, **{name: value}))
    quick = study.check(study.Config(quick=True))
    assert quick.betas < study.Config().betas and quick.step > study.Config().step
