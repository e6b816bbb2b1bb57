"""Pictures of analysis: what is drawn where, what the legends say, and what is refused."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")

import matplotlib.pyplot as plt

import bpcjax as bpc
from bpcjax.analysis import Bifurcation, Branch, Ending, Lyapunov, PhaseResponse, Special, follow
from bpcjax.plot import bifurcation, lyapunov, orbit_diagram, phase_response, return_map, spectrum


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def names(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# --- bifurcation diagrams ----------------------------------------------------------------------


class State(NamedTuple):
    v: Any
    w: Any


def branch(p, y, stable, special=()):
    p = jnp.asarray(p, float)
    return Branch(
        p, y, jnp.zeros((len(p), 1), complex), jnp.asarray(stable), None, special, Ending.COUNT
    )


FOLD = 1 / np.sqrt(3)


def cusp(rows=21):
    """dv/dt = p + v - v^3: folds at v = -+1 / sqrt(3), p = +-2 / (3 sqrt(3))."""
    v = jnp.linspace(-1.3, 1.3, rows)
    folds = tuple(Special(Bifurcation.FOLD, x**3 - x, State(x, -x)) for x in (-FOLD, FOLD))
    return branch(v**3 - v, State(v, -v), jnp.abs(v) > FOLD, folds)


def test_a_branch_is_dashed_between_its_folds():
    ax = bifurcation(cusp(), y=lambda y: y.w, xlabel="current (pA)", ylabel="w (pA)")
    runs = [line for line in ax.lines if len(line.get_xdata()) > 1]
    assert [line.get_linestyle() for line in runs] == ["-", "--", "-"]
    for line in runs:  # every point is on the curve, and each run ends at a fold
        p, w = line.get_xydata().T
        np.testing.assert_allclose(p, -(w**3) + w, atol=1e-12)
    joints = [line.get_ydata()[-1] for line in runs[:2]]
    np.testing.assert_allclose(joints, [FOLD, -FOLD])
    marks = [line for line in ax.lines if line.get_marker() == "s"]
    np.testing.assert_allclose([m.get_ydata()[0] for m in marks], [FOLD, -FOLD])
    np.testing.assert_allclose([m.get_xdata()[0] for m in marks], [2 * FOLD / 3, -2 * FOLD / 3])
    assert names(ax) == ["stable", "unstable", "fold"]
    assert ax.get_xlabel() == "current (pA)" and ax.get_ylabel() == "w (pA)"
    ax.figure.canvas.draw()


class Cusp(bpc.AbstractSystem):
    def vector_field(self, t, y, args):
        return args + y - y**3


def test_a_branch_that_was_followed_is_drawn_as_it_is():
    result = follow(Cusp(), None, jnp.array([-1.2]), -0.6, step=0.2, count=60, bounds=(-1.0, 1.0))
    ax = bifurcation(result)
    marks = [line.get_xydata()[0] for line in ax.lines if line.get_marker() == "s"]
    np.testing.assert_allclose(marks, [[2 * FOLD / 3, -FOLD], [-2 * FOLD / 3, FOLD]], atol=1e-6)
    runs = [line for line in ax.lines if len(line.get_xdata()) > 1]
    assert [line.get_linestyle() for line in runs] == ["-", "--", "-"]
    np.testing.assert_allclose(runs[1].get_xydata()[[0, -1]], marks)


def test_cycles_are_drawn_by_their_extremes():
    # Stuart-Landau: cycles of radius sqrt(p) around 0 from p = 0, where they begin.
    p = jnp.linspace(0.01, 1.0, 30)
    before = jnp.linspace(-1.0, 1.0, 5)
    hopf = Special(Bifurcation.HOPF, 0.0, jnp.zeros(2))
    rest = branch(before, jnp.zeros((5, 2)), before < 0, (hopf,))
    radius = jnp.sqrt(p)
    torus = Special(Bifurcation.TORUS, 0.51, jnp.array([np.sqrt(0.51), 0.0]))
    start = jnp.stack([radius, 0 * p], axis=1)
    cycles = branch(p, start, jnp.ones(30, bool), (torus,))
    ax = bifurcation(
        [rest, cycles],
        y=lambda y: y[0],
        ranges=[None, (-radius, radius)],
        labels=["rest", "cycles"],
    )
    assert names(ax) == ["rest", "cycles", "stable", "unstable", "Hopf", "torus"]
    lines = [line for line in ax.lines if len(line.get_xdata()) > 1]
    assert [line.get_linestyle() for line in lines] == ["-", "--", "-", "-"]
    low, high = (line.get_ydata() for line in lines[2:])
    np.testing.assert_allclose(high, -low)
    marks = [line.get_xydata()[0] for line in ax.lines if line.get_marker() == "P"]
    # Straight between rows 0.034 apart: an error of 0.034^2 / 8 times the curvature.
    np.testing.assert_allclose(marks, [[0.51, -(0.51**0.5)], [0.51, 0.51**0.5]], atol=1e-4)
    assert len({line.get_color() for line in lines}) == 2
    ax.figure.canvas.draw()


def test_a_branch_of_one_point_is_seen():
    ax = bifurcation(branch([1.0], jnp.ones((1, 1)), [True]))
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[1.0, 1.0]])
    assert ax.lines[0].get_marker() == "."
    ax.figure.canvas.draw()


@pytest.mark.parametrize(
    "branches, options, named",
    [
        ([], {}, "branches: there are none"),
        (branch([], jnp.zeros((0, 1)), jnp.zeros(0, bool)), {}, "branches: a branch of"),
        (cusp(), {}, "y: a state is several numbers"),
        (branch([1, 2], jnp.ones((2, 3)), [True, True]), {"y": lambda y: y}, "y must"),
        (cusp(), {"ranges": [], "y": lambda y: y.v}, "ranges: 0 for 1"),
        (cusp(), {"ranges": [(jnp.ones(3), jnp.ones(3))]}, "ranges must be two vectors of 21"),
        (cusp(), {"labels": ["a", "b"], "y": lambda y: y.v}, "labels: 2 for 1"),
    ],
)
def test_bifurcations_name_what_does_not_fit(branches, options, named):
    with pytest.raises(ValueError, match=named):
        bifurcation(branches, **options)


# --- spectra -----------------------------------------------------------------------------------


def faces(collection):
    return "white" if collection.get_facecolor()[0][:3].min() == 1 else "filled"


def test_eigenvalues_right_of_the_axis_are_filled():
    ax = spectrum(jnp.array([0.1 + 2j, 0.1 - 2j, -3.0, 1e-9, jnp.nan]))
    unstable, stable = ax.collections
    np.testing.assert_allclose(unstable.get_offsets(), [[0.1, 2], [0.1, -2]])
    np.testing.assert_allclose(stable.get_offsets(), [[-3, 0], [1e-9, 0]])
    assert (faces(unstable), faces(stable)) == ("filled", "white")
    assert names(ax) == ["unstable", "stable"]
    assert ax.get_xlabel() == "real part (1/ms)"
    ax.figure.canvas.draw()


def test_multipliers_are_measured_by_the_unit_circle_and_coloured_by_the_parameter():
    rows = np.array([[0.5j, -0.5j], [1.1j, -1.1j]])
    ax = spectrum(rows, p=np.array([1.0, 3.0]), multipliers=True, plabel="current (pA)")
    np.testing.assert_allclose(np.hypot(*ax.lines[0].get_xydata().T), 1.0)
    unstable, stable = ax.collections[:2]
    np.testing.assert_allclose(unstable.get_offsets(), [[0, 1.1], [0, -1.1]])
    assert not np.allclose(unstable.get_edgecolor()[0], stable.get_edgecolor()[0])
    assert ax.get_xlabel() == "real part"
    assert ax.figure.axes[-1].get_ylabel() == "current (pA)"
    ax.figure.canvas.draw()


@pytest.mark.parametrize(
    "values, p, named",
    [
        (1j, None, "eigenvalues must have"),
        ([np.nan], None, "eigenvalues: none"),
        ([], None, "eigenvalues: none"),
        ([1j], [1.0, 2.0], "p must be"),
        ([1j], [np.nan], "p must be"),
    ],
)
def test_spectra_name_what_does_not_fit(values, p, named):
    with pytest.raises(ValueError, match=named):
        spectrum(np.asarray(values), p=None if p is None else np.asarray(p))


# --- Lyapunov exponents ------------------------------------------------------------------------


def exponents(ok=True):
    times = np.arange(1.0, 101.0)
    final = np.array([0.9, 0.0, -np.inf])
    running = final + 50 * np.exp(-times)[:, None]
    result = final, [0.02, np.nan, np.nan], 2.0, [False, False, True], times, running, ok
    return Lyapunov(*map(jnp.asarray, result))


def test_exponents_settle_and_end_with_their_errors():
    ax = lyapunov(exponents(), unit="s")
    assert names(ax) == ["0.90 ± 0.02", "0"]  # not the structural one, and no error that is NaN
    first = ax.containers[0]
    np.testing.assert_allclose(first.lines[2][0].get_segments(), [[[100, 0.88], [100, 0.92]]])
    low, high = ax.get_ylim()
    assert -0.2 < low < 0 and 0.92 < high < 1.1  # the first means are above
    assert ax.get_ylabel() == "Lyapunov exponent (1/s)" and not ax.texts
    ax.figure.canvas.draw()


def test_many_exponents_have_no_names_and_doubt_is_shown():
    zero = jnp.zeros(20)
    many = Lyapunov(zero, zero, zero[0], zero > 0, zero[:4], jnp.zeros((4, 20)), jnp.array(True))
    assert lyapunov(many).get_legend() is None
    ax = lyapunov(exponents(ok=False))
    assert [text.get_text() for text in ax.texts] == ["ok is False"]
    ax.figure.canvas.draw()


def test_exponents_name_what_does_not_fit():
    result = exponents()
    with pytest.raises(ValueError, match="result: times"):
        lyapunov(jax.tree.map(lambda x: x[None], result))
    with pytest.raises(ValueError, match="result: no exponent is finite"):
        lyapunov(eqx.tree_at(lambda r: r.exponents, result, result.exponents * jnp.nan))


# --- orbits ------------------------------------------------------------------------------------


def test_orbits_are_dots_over_their_parameter():
    ax = orbit_diagram(
        np.array([3.0, 1.0]), np.array([[0.1, np.nan, 0.3], [0.5, np.inf, 0.7]]), xlabel="v (mV)"
    )
    (dots,) = ax.lines
    np.testing.assert_allclose(dots.get_xydata(), [[3, 0.1], [3, 0.3], [1, 0.5], [1, 0.7]])
    assert dots.get_rasterized() and dots.get_linestyle() == "None"
    assert ax.get_xlabel() == "v (mV)" and ax.get_ylabel() == "state after a spike"
    ax.figure.canvas.draw()


def test_a_return_map_pairs_neighbours():
    ax = return_map(np.array([1.0, 2.0, np.nan, 4.0, 3.0, np.inf]), label="w", unit="pA")
    diagonal, pairs = ax.lines
    np.testing.assert_array_equal(*diagonal.get_data())
    np.testing.assert_array_equal(pairs.get_xydata(), [[1, 2], [4, 3]])
    assert ax.get_xlabel() == "w k (pA)" and ax.get_ylabel() == "w k + 1 (pA)"
    assert ax.get_xlim() == ax.get_ylim() and ax.get_aspect() == 1
    ax.figure.canvas.draw()
    return_map(np.full(2, 2.0)).figure.canvas.draw()  # a fixed point


@pytest.mark.parametrize(
    "draw, arrays, named",
    [
        (orbit_diagram, ([np.nan], [[1.0]]), "parameter must be"),
        (orbit_diagram, ([[1.0]], [[1.0]]), "parameter must be"),
        (orbit_diagram, ([1.0], [1.0]), "values must have shape"),
        (orbit_diagram, ([1.0], [[1.0], [2.0]]), "values must have shape"),
        (return_map, ([[1.0]],), "values must be a vector"),
        (return_map, ([1.0],), "values: no two"),
        (return_map, ([1.0, np.inf, 2.0],), "values: no two"),
    ],
)
def test_orbits_name_what_does_not_fit(draw, arrays, named):
    with pytest.raises(ValueError, match=named):
        draw(*map(np.array, arrays))


# --- phase response ----------------------------------------------------------------------------


def response(times, gradient, shift=None, ok=True):
    return PhaseResponse(times, gradient, gradient, shift, jnp.array(ok))


def test_a_phase_response_shows_the_adjoint_and_the_push():
    times = jnp.arange(8.0)
    result = response(times, State(jnp.sin(times), jnp.cos(times)), 0.5 * jnp.sin(times))
    ax = phase_response(result, y=lambda y: y.v, push=0.5)
    _, small, large = ax.lines
    np.testing.assert_allclose(small.get_ydata(), np.sin(times))
    np.testing.assert_allclose(large.get_ydata(), np.sin(times))
    assert names(ax) == ["small push", "push of 0.5 mV"]
    assert ax.get_ylabel() == "advance (ms per mV)"
    ax.figure.canvas.draw()
    alone = phase_response(response(times, jnp.sin(times), ok=False), unit="s", of="unit")
    assert alone.get_legend() is None and len(alone.texts) == 1


def test_phase_responses_name_what_does_not_fit():
    times = jnp.arange(3.0)
    result = response(times, State(times, times))
    with pytest.raises(ValueError, match="y: a state is several"):
        phase_response(result)
    with pytest.raises(ValueError, match="push: the result has no shifts"):
        phase_response(result, y=lambda y: y.v, push=1.0)
    with pytest.raises(ValueError, match="result: times"):
        phase_response(jax.tree.map(lambda x: x[None], response(times, times)))
