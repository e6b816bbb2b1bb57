"""The study of the modern Hopfield network, made small, against the closed forms."""

import numpy as np
import pytest

from experiments.common.settings import prepared
from theory.closed_forms import modern_hopfield as exact
from theory.regimes import modern_memory as study, modern_solve as solve
from theory.regimes.modern_states import closed_forms, exact_barriers, kinds

pytestmark = pytest.mark.study

SMALL = study.Config(patterns=4, betas=3, guesses=60, step=0.15, loop=12, settle=100.0, paths=1)


@pytest.mark.parametrize(("count", "beta"), [(4, 2.5), (4, 3.9), (4, 4.5), (5, 4.9), (6, 5.7)])
def test_kinds_are_all_fixed_points(count, beta):
    result = kinds(beta, count)
    assert sum(kind.number for kind in result) == 1 + exact.census(beta, count).sum()
    for kind in result:
        p = kind.weights
        again = np.exp(beta * p) / np.exp(beta * p).sum()
        np.testing.assert_allclose(again, p, atol=1e-12)  # a fixed point of the softmax
        slopes = np.linalg.eigvalsh(beta * (np.diag(p) - np.outer(p, p)))
        np.testing.assert_allclose(np.sort(1 - slopes), kind.curvatures, atol=1e-12)
        assert (slopes > 1 + 1e-12).sum() == kind.unstable
    # Morse: minima, saddles and so on of a function that grows on all sides
    assert sum(kind.number * (-1) ** kind.unstable for kind in result) == 1


@pytest.mark.slow
def test_no_fixed_point_is_missed():
    result = solve.census(SMALL)
    assert result["missed"].sum() == 0
    np.testing.assert_array_equal(result["number"], result["expected"])
    assert result["number"][-1].sum() == 15 and result["number"][0].sum() == 1
    for name in ("state", "energy", "curvature"):
        assert result[f"{name}_off"].max() < 1e-9


def test_the_loop_jumps_at_the_fold_and_where_the_mean_goes():
    result = solve.slow_loop(SMALL)
    beta, up, down = (np.asarray(result[key]) for key in ("loop_beta", "up", "down"))
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
    result = solve.branches(SMALL)
    np.testing.assert_allclose(result["fold"], [exact.spinodal(4).b], rtol=1e-9)
    np.testing.assert_allclose(result["mean_crossing"], [4.0], atol=1e-6)
    low, high = exact.branches(result["k1_p"], 4)
    off = np.minimum(np.abs(result["k1_weight"] - low), np.abs(result["k1_weight"] - high))
    assert off.max() < 1e-8
    upper = exact.branches(result["k2_p"], 4, 2)[1]
    np.testing.assert_allclose(result["k2_weight"], upper, atol=1e-8)
    assert not result["k2_stable"].any()
    np.testing.assert_array_equal(result["mean_stable"], result["mean_p"] < 4)
    walls = solve.barriers(SMALL)
    lower = exact_barriers(walls["barrier_beta"], 4)
    np.testing.assert_allclose(walls["barrier_out"], lower["out"], atol=1e-9)
    np.testing.assert_allclose(walls["barrier_back"], lower["back"], atol=1e-9)
    swap = exact_barriers(walls["swap_beta"], 4)["swap"]
    np.testing.assert_allclose(walls["barrier_swap"], swap, atol=1e-9)


def test_lines_of_the_figure_are_the_closed_forms():
    beta = np.array([2.0, 5.0])
    data = {name: values for name, (_, values) in closed_forms(4, beta).items()}
    line = data["line_beta"]
    count = [1 + exact.census(b, 4).sum() for b in line]
    np.testing.assert_array_equal(data["line_number"].sum(axis=1), count)
    memory = data["line_energy"][:, 0, 1]  # the larger weight of one pattern
    exists = np.isfinite(memory)
    np.testing.assert_array_equal(exists, line >= exact.spinodal(4).b)
    np.testing.assert_array_equal((memory < 0)[exists], (line > exact.equal_energy(4))[exists])
    np.testing.assert_allclose(data["critical_beta"], [exact.spinodal(4).b, 4.0])
    np.testing.assert_allclose(data["mark_curvature"][0], 0.0, atol=1e-6)  # at the fold
    assert (data["mark_curvature"][1:] > 0).all()


def test_a_quick_run_is_smaller():
    quick = prepared(study.Config(quick=True))
    assert quick.betas < study.Config().betas and quick.step > study.Config().step
