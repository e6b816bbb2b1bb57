"""Jump processes: closed forms of processes with and without a flow, thinning, ends and faults."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float
from scipy import stats

from bpcjax.jumps import AbstractJumps, jump_path


class BirthDeath(AbstractJumps):
    """Immigration at `birth`, each dies at rate 1: two channels, no flow."""

    birth: float

    def log_rates(self, y, args):
        return jnp.log(jnp.stack([jnp.full_like(y, self.birth), y]))

    def jump(self, y, channel):
        return jnp.where(channel == 0, y + 1, y - 1)


class Hawkes(AbstractJumps):
    """Hawkes process: the intensity `mu + y`, y decays at rate 1 and jumps by `alpha`. The state
    carries its compensator, the integral of the intensity. The bound may be `loose`."""

    mu: float
    alpha: float
    loose: float = 1.0

    def log_bound(self, y, args):
        return jnp.log(self.loose * (self.mu + y[0]))

    def log_rates(self, y, args):
        return jnp.log(self.mu + y[0])[None]

    def relax(self, y, span, key):
        x, compensator = y
        return x * jnp.exp(-span), compensator + self.mu * span - x * jnp.expm1(-span)

    def jump(self, y, channel):
        return y[0] + self.alpha, y[1]


class NoisyShots(AbstractJumps):
    """Ornstein-Uhlenbeck flow of temperature T, and jumps of size 1 at a constant rate."""

    rate: float
    temperature: float

    def log_rates(self, y, args):
        return jnp.log(jnp.full((1,), self.rate))

    def relax(self, y, span, key):
        spread = jnp.sqrt(-self.temperature * jnp.expm1(-2 * span))
        return y * jnp.exp(-span) + spread * jax.random.normal(key)

    def jump(self, y, channel):
        return y + 1.0


class Deaths(AbstractJumps):
    """Each of y dies at rate 1, and a clock runs."""

    wrong: float = 0.0  # by how much the bound is too low, in logs

    def log_bound(self, y, args):
        return jnp.log(y[0]) - self.wrong

    def log_rates(self, y, args):
        return jnp.log(y[0])[None]

    def relax(self, y, span, key):
        return y[0], y[1] + span

    def jump(self, y, channel):
        return y[0] - 1, y[1]


def many(process, y0, copies, **options):
    keys = jax.random.split(jax.random.key(3), copies)
    return jax.jit(jax.vmap(lambda key: jump_path(process, y0, key=key, **options)))(keys)


def test_immigration_and_death_is_poisson():
    # M/M/infinity from 0: at t the number is Poisson of mean birth (1 - exp(-t)) (Feller I, XVII.7)
    path = many(BirthDeath(3.0), jnp.zeros(()), 3000, jumps=40, t1=1.2)
    assert path.ok.all() and (path.candidates == path.count).all()
    mean = 3.0 * -np.expm1(-1.2)
    seen = np.bincount(np.minimum(np.asarray(path.y, int), 7), minlength=8)
    law = stats.poisson(mean).pmf(np.arange(8))
    law[7] += stats.poisson(mean).sf(7)
    assert stats.chisquare(seen, 3000 * law).pvalue > 1e-3


@pytest.mark.parametrize("loose", [pytest.param(1.0, marks=pytest.mark.slow), 3.0])
def test_thinning_of_a_decaying_intensity_is_exact_at_any_bound(loose):
    # by the random time change the compensator's increments between jumps are exponential of mean
    # 1; the mean intensity is that of Hawkes (1971, Biometrika 58:83): l' = mu - (1 - alpha) l
    mu, alpha, t1 = 2.0, 0.6, 1.5
    process, start = Hawkes(mu, alpha, loose), (jnp.zeros(()), jnp.zeros(()))
    path = many(process, start, 800, jumps=int(20 * loose), save=lambda y: y[1])
    assert path.ok.all() and (path.count >= 4).all() and (path.count < path.candidates).any()
    before = jnp.where(path.channels == 0, path.saved, jnp.inf)
    increments = jnp.diff(jnp.sort(before)[:, :4], prepend=0.0)  # of the first four jumps
    assert stats.kstest(np.asarray(increments).ravel(), stats.expon.cdf).pvalue > 1e-3
    path = many(process, start, 1500, jumps=int(60 * loose), t1=t1)
    assert path.ok.all()
    late = mu / (1 - alpha)
    mean = late + (mu - late) * np.exp(-(1 - alpha) * t1)
    intensity = mu + np.asarray(path.y[0])
    assert abs(intensity.mean() - mean) < 4 * intensity.std() / np.sqrt(1500)
    # a martingale: jumps less compensator
    surplus = np.asarray(path.count - path.y[1])
    assert abs(surplus.mean()) < 4 * surplus.std() / np.sqrt(1500)


def test_noise_between_jumps_is_drawn_from_its_law():
    # shot noise and an independent Ornstein-Uhlenbeck process (Campbell): means and variances add
    rate, temperature, t1 = 4.0, 0.3, 0.8
    path = many(NoisyShots(rate, temperature), jnp.asarray(0.5), 4000, jumps=24, t1=t1)
    assert path.ok.all() and (path.t == t1).all()
    decay = np.exp(-t1)
    x = np.asarray(path.y)
    variance = (rate / 2 + temperature) * -np.expm1(-2 * t1)
    assert abs(x.mean() - 0.5 * decay - rate * (1 - decay)) < 4 * x.std() / np.sqrt(4000)
    assert x.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / 4000))


def test_it_rests_where_nothing_can_follow():
    start = jnp.asarray(3.0), jnp.zeros(())
    path = jump_path(Deaths(), start, key=jax.random.key(0), jumps=5, save=lambda y: y[0])
    assert path.ok and path.at_rest and path.count == 3 and path.y[0] == 0
    np.testing.assert_array_equal(path.channels, [0, 0, 0, -1, -1])
    np.testing.assert_array_equal(path.saved, [3, 2, 1, 0, 0])
    assert np.isinf(path.times[3:]).all() and np.isinf(path.spans[3:]).all()
    np.testing.assert_allclose(np.cumsum(path.spans[:3]), path.times[:3])
    assert path.t == path.times[2] and path.y[1] == pytest.approx(path.t)
    short = jump_path(Deaths(), start, key=jax.random.key(0), jumps=2)
    assert short.ok and not short.at_rest and short.count == 2  # no end was asked for
    ended = jump_path(Deaths(), start, key=jax.random.key(0), jumps=6, t1=50.0)
    assert ended.ok and ended.at_rest and ended.t == 50 and ended.y[1] == pytest.approx(50.0)
    assert ended.spans.sum() == pytest.approx(50.0)  # the state at rest weighs until the end


def test_faults_are_flagged():
    start = jnp.asarray(3.0), jnp.zeros(())
    full = jump_path(Deaths(), start, key=jax.random.key(0), jumps=2, t1=50.0)
    assert not full.ok and full.t < 50 and full.count == 2  # the room ended first
    wrong = jump_path(Deaths(wrong=0.1), start, key=jax.random.key(0), jumps=3)
    assert not wrong.ok
    lost = jump_path(Deaths(), (jnp.nan, jnp.zeros(())), key=jax.random.key(0), jumps=3)
    assert not lost.ok and not lost.at_rest and lost.count == 0
    with pytest.raises(ValueError, match="jumps must be at least 1"):
        jump_path(Deaths(), start, key=jax.random.key(0), jumps=0)


def test_single_precision_stays_single_and_rates_that_fill_their_bound_are_not_thinned():
    class Softmax(AbstractJumps):
        scores: Float[Array, " n"]

        def log_bound(self, y, args):
            return jnp.zeros((), jnp.float32)

        def log_rates(self, y, args):
            return jax.nn.log_softmax(self.scores)

        def jump(self, y, channel):
            return channel

    scores = jax.random.normal(jax.random.key(0), (2000,), jnp.float32)
    start = jnp.zeros((), jnp.int32)
    path = eqx.filter_jit(jump_path)(Softmax(scores), start, key=jax.random.key(1), jumps=3000)
    assert path.times.dtype == jnp.float32 and path.ok and path.count == 3000
