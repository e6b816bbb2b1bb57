"""Systems of a few lines run through every kind of analysis, without a change to the package."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.analysis import (
    basin_fractions,
    energy_slice,
    fixed_points,
    follow,
    lyapunov,
    plane,
    spectrum,
    unique,
)
from tests.support.systems import CurieWeiss, Lorenz, MorrisLecar


class Case:
    """A system, guesses, its drive, its attractors, and what is known of it."""

    def __init__(self, system, cloud, args, where, p0, bounds, step, special):
        self.system, self.cloud, self.args, self.where = system, cloud, args, where
        self.p0, self.bounds, self.step, self.special = p0, bounds, step, special


def uniform(low, high, count=60):
    low, high = jnp.asarray(low), jnp.asarray(high)
    part = jax.random.uniform(jax.random.key(2), (count, *low.shape))
    return low[None] + part * (high - low)[None]


CASES = {
    # between its homoclinic bifurcation and its Hopf point all paths end at one of two rests
    "Lorenz": lambda: Case(
        Lorenz(20.0), uniform([-20.0, -20.0, 0.0], [20.0, 20.0, 40.0]), None,
        lambda m: m.rho, 20.0, (15.0, 30.0), 1.0, 470 / 19,
    ),
    "Morris-Lecar": lambda: Case(
        MorrisLecar(), uniform([-70.0, 0.0], [40.0, 0.5]), 20.0,
        None, 20.0, (-5.0, 60.0), 2.0, 39.963153,
    ),
    "Curie-Weiss": lambda: Case(
        CurieWeiss(1.5), uniform([-2.0], [2.0]), None,
        lambda m: m.beta, 1.5, (0.5, 2.5), 0.1, 1.0,
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_from_rests_to_landscape(name):
    case = CASES[name]()
    rests = unique(fixed_points(case.system, case.cloud, case.args))
    leading = spectrum(rests.jacobian)[:, 0].real
    wells = rests.y[leading < 0]
    assert rests.ok.all() and len(wells) >= 1

    # the largest exponents at a rest are the real parts of its eigenvalues
    result = lyapunov(case.system, wells[0], case.args, t1=200.0, dt=0.05, burn_in=100.0)
    expected = jnp.sort(spectrum(rests.jacobian)[leading < 0][0].real)[::-1]
    np.testing.assert_allclose(result.exponents, expected, atol=0.02 * float(-expected.min()))

    toward = -1.0 if name == "Curie-Weiss" else 1.0
    branch = follow(
        case.system, case.where, wells[0], case.p0, case.args,
        step=case.step, count=60, toward=toward, bounds=case.bounds,
    )  # fmt: skip
    assert min(abs(special.p - case.special) for special in branch.special) < 2e-6

    long, short = (400.0, 0.1) if name == "Morris-Lecar" else (60.0, 0.02)
    basins = basin_fractions(
        case.system, case.cloud, wells, case.args, t1=long, dt=short, radius=0.5 / len(wells)
    )
    np.testing.assert_allclose(basins.fraction.sum(), 1.0, atol=0.05)

    def speed(y, args):
        return 0.5 * jnp.sum(case.system.vector_field(0.0, y, args) ** 2)

    size = wells.shape[1]
    if size > 1:
        across = plane(wells[0], wells[0] + jnp.eye(size)[0], wells[0] + jnp.eye(size)[1])
        result = energy_slice(speed, across, case.args, count=21)
        assert result.energy.shape == (21, 21)
        np.testing.assert_allclose(speed(wells[0], case.args), 0.0, atol=1e-18)
        assert float(result.energy.min()) >= 0
