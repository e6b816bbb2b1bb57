"""The study of calibration: a small run, its posterior at rest, bad settings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import InputError, calibration


def test_the_posterior_comes_to_rest_and_lowers_F():
    rng = np.random.default_rng(0)
    a, z = jnp.asarray(rng.normal(size=(40, 4))), jnp.asarray(np.eye(3)[rng.integers(0, 3, 40)])
    q, free = calibration.posterior(a, z, 2.0, 1000)
    assert (np.diff(free) < 1e-8).all() and free[0] - free[-1] > 1
    assert free[-101] - free[-1] < 1e-8 * (free[0] - free[-1])
    # at rest each precision is that of the prior and the data's curvature (a fixed point)
    curvature = q.statistics(z, a).precision
    np.testing.assert_allclose(q.precision, 2.0 + curvature, rtol=1e-5)
    assert q.precision.min() > 2.0


@pytest.mark.slow
def test_a_small_run(tmp_path):
    config = calibration.Config(
        quick=True, samples=(60,), units=30, steps=300, draws=8, out=str(tmp_path)
    )
    found = calibration.run(config, calibration.Parts("calibration", config))
    table = calibration.summary(found)
    assert table["conditions"] == 3 and table["digits, 60, plain: point, accuracy"] > 0.5
    assert (found.unsure >= -1e-9).all() and (found.unsure.sum("part") <= np.log(10)).all()
    from figures import calibration as figure

    assert len(figure.draw(found).axes) == 2
    assert jax.config.jax_enable_x64


def test_bad_settings_are_named(tmp_path):
    with pytest.raises(InputError, match="draws"):
        calibration.run(calibration.Config(draws=0), None)  # pyright: ignore
