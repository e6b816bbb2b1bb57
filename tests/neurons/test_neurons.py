"""Neuron models: numbers, closed forms, limits (AdEx and Izhikevich: see test_presets.py)."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.neurons import IF, LIF, HodgkinHuxley, HodgkinHuxleyState, McCullochPitts, Theta
from theory.closed_forms import lif_events, neurons as closed, neurons_ivp


def arrays(*values):  # so that one compiled solve serves every value
    return tuple(jnp.asarray(value, float) for value in values)


@eqx.filter_jit
def solve(neuron, y0, drive, t1, **options):
    """In exact mode."""
    given = dict(max_spikes=512, max_steps=65536) | options
    control = dfx.PIDController(rtol=1e-10, atol=1e-10)
    return bpc.simulate(neuron, y0, drive, t1=t1, dt=0.1, stepsize_controller=control, **given)


def run(neuron, drive, t1, y0=None, **options):
    y0 = neuron.rest() if y0 is None else y0
    return solve(neuron, y0, *arrays(drive, t1), **options)


def spikes(solution, neuron=None):
    """The times of all spikes, or of those of one neuron."""
    count = int(solution.spikes.count)
    times, neurons = (
        np.asarray(x)[:count] for x in (solution.spikes.times, solution.spikes.neurons)
    )
    return times if neuron is None else times[neurons == neuron]


def close(actual, desired, atol):
    np.testing.assert_allclose(actual, desired, rtol=0, atol=atol)


# --- numbers: closed form, or independent event-exact solutions at 1e-12 ------------------------


@pytest.mark.slow
def test_lif_fires_at_multiples_of_a_period_that_shortens_with_drive():
    neuron = LIF(c=20.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)

    def times(drive):
        return run(neuron, drive, 230.0, adjoint=dfx.ForwardMode()).spikes.times

    result, slopes = jax.jvp(times, (jnp.asarray(1.5),), (jnp.asarray(1.0),))
    # 20 log 3, and 20 (1 / 1.5 - 1 / 0.5); ten periods in 230 ms.
    count = np.arange(1, 11)
    close(result[:10], 21.97224577 * count, 1e-7)
    close(slopes[:10], -26.6666666667 * count, 1e-5)
    assert np.isinf(result[10])


@pytest.mark.slow
def test_lif_rates_are_the_closed_form():
    drive, hold = np.array([90.0, 110.0, 200.0, 900.0, 200.0, 900.0]), np.repeat([0.0, 2.0], [4, 2])
    neuron = bpc.Refractory(LIF(), hold)
    solution = run(neuron, drive, 100.0, neuron.rest((6,)))
    # Drive in units of the potential: R I = I / g_l above rest, 10 mV to the threshold.
    rates = lif_events.rate(drive / 10.0, 20.0, threshold=10.0, refractory=hold)
    assert rates[0] == 0 and spikes(solution, 0).size == 0
    for k in range(1, 6):
        first = 1 / rates[k] - hold[k]
        exact = np.arange(first, 100.0, 1 / rates[k])
        close(spikes(solution, k), exact, 1e-5)


EARLY = jnp.linspace(0.0, 30.0, 3001)


def squid(drive, t1, y0=None, **parameters):
    """A Hodgkin-Huxley neuron, its state saved early on."""
    return run(HodgkinHuxley(**parameters), drive, t1, y0, saveat=dfx.SaveAt(ts=EARLY))


@pytest.mark.slow
def test_hodgkin_huxley_fires_as_published():
    times = spikes(squid(10.0, 1000.0))
    assert times.size == 69
    close(times[:2], [1.901232, 16.822652], 1e-5)
    close(1000 / np.diff(times)[-20:].mean(), 68.3237, 1e-3)  # once the start is forgotten
    exact = neurons_ivp.hodgkin_huxley(10.0, 120.0)
    assert exact.size == 9
    close(times[: exact.size], exact, 1e-5)


# --- Hodgkin & Huxley: rest, rates, events -----------------------------------------------------


@pytest.mark.slow
def test_hodgkin_huxley_rests_where_nothing_moves():
    neuron, leaks = HodgkinHuxley(), np.array([-54.387, -60.0, -50.0])
    rest = neuron.rest()
    close(rest[:4], [-64.996379, 0.052955, 0.595994, 0.317732], 1e-6)
    close(rest[:4], neurons_ivp.hodgkin_huxley_rest(), 1e-12)
    # With another leak another rest, each neuron of a population at its own.
    many = HodgkinHuxley(e_l=leaks)
    state = many.rest((3,))
    close(state.v[0], rest.v, 1e-12)
    assert np.ptp(state.v) > 0.5
    close(many.vector_field(0.0, state, 0.0), np.zeros((5, 3)), 1e-12)


def test_hodgkin_huxley_rest_has_the_derivative_of_the_implicit_function():
    def rest(g_na):
        return HodgkinHuxley(g_na=g_na).rest().v

    at = jnp.array([120.0 - 1e-3, 120.0, 120.0 + 1e-3])
    low, _, high = jax.jit(jax.vmap(rest))(at)
    slopes = jax.jit(lambda x: (jax.grad(rest)(x), jax.jacfwd(rest)(x)))(at[1])
    np.testing.assert_allclose(slopes, (high - low) / 2e-3, rtol=1e-7)


@pytest.mark.parametrize("gate, v, scale", [("m", -40.0, 1.0), ("n", -55.0, 0.1)])
def test_rates_and_their_derivatives_pass_the_removable_singularities(gate, v, scale):
    neuron, still = HodgkinHuxley(), HodgkinHuxleyState(*[jnp.zeros(())] * 5)

    @jax.jit
    def opening(v):  # the rate at which a closed gate opens
        return getattr(neuron.vector_field(0.0, still._replace(v=v), 0.0), gate)

    slope, curve, v = jax.jit(jax.grad(opening)), jax.grad(jax.grad(opening)), jnp.asarray(v)
    # x / (1 - exp(-x)) = 1 + x / 2 + x^2 / 12 - ..., with x = (v - v0) / 10.
    close(opening(v), scale, 1e-15)
    close(slope(v), scale / 20, 1e-15)
    close(curve(v), scale / 600, 1e-15)
    for away in (1e-9, -1e-6, 0.0999, 0.1001, -0.0999, -0.1001, 3.0, -3.0):
        x = np.longdouble(away) / 10
        rest = -np.expm1(-x)
        close(opening(v + away), scale * x / rest, 1e-14)
        if abs(away) > 1e-3:
            exact = scale / 10 * (rest - x * np.exp(-x)) / rest**2
            close(slope(v + away), exact, 1e-13)


@pytest.mark.slow
def test_a_smooth_spike_is_counted_once_and_leaves_the_state_as_it_is():
    solution, ts = squid(10.0, 30.0), np.asarray(EARLY)
    v, above, times = np.asarray(solution.ys.v), np.asarray(solution.ys.above), spikes(solution)
    assert times.size == 2
    assert np.abs(np.diff(v)).max() < 6.0  # 0.01 ms of an upstroke of 500 mV/ms, and no jump
    # The mode is 1 from each upward crossing of 0 mV to the fall through -1 mV.
    ups, downs = ts[1:][np.diff(above) > 0], ts[1:][np.diff(above) < 0]
    close(ups, times, 0.0101)
    close(np.interp(downs, ts, v), -1.0, 1.0)
    for drop in (1e-3, 20.0):  # it does not matter where the next is armed
        close(spikes(squid(10.0, 30.0, drop=drop)), times, 1e-7)


@pytest.mark.slow
def test_a_smooth_spike_under_way_counts_by_its_mode():
    start = HodgkinHuxley().rest()._replace(v=arrays(20.0)[0])
    assert spikes(squid(0.0, 30.0, start)).tolist() == [0.0]
    assert spikes(squid(0.0, 30.0, start._replace(above=arrays(1.0)[0]))).size == 0


@pytest.mark.slow
def test_hodgkin_huxley_starts_to_fire_at_a_rate_above_zero():
    # The squid axon is of class 2: at 6.26 uA/cm2 a fold of cycles gives birth to firing at some
    # 50 Hz, while rest is stable until 9.78 (Rinzel & Miller 1980).
    assert spikes(squid(6.0, 300.0)).size < 3
    times = spikes(squid(7.0, 300.0))
    assert 45 < 1000 / np.diff(times)[-1] < 65


# --- closed forms ------------------------------------------------------------------------------


class Swell(eqx.Module):
    """A drive `mean + swing sin(t / 5)`."""

    mean: jax.Array
    swing: jax.Array

    def __call__(self, t):
        return self.mean + self.swing * jnp.sin(t / 5.0)


@pytest.mark.slow
def test_a_perfect_integrator_fires_however_small_the_drive_and_forgets_nothing():
    neuron = IF(c=150.0, v_th=-52.0, v_reset=-61.0)
    for mean, swing in ((2.0, 0.0), (400.0, 0.0), (60.0, 110.0)):
        t1 = 5.5 * closed.if_period(mean, 150.0, 9.0)
        solution = solve(neuron, neuron.rest(), Swell(*arrays(mean, swing)), *arrays(t1))
        # A spike for each 150 * 9 fC that the drive has brought more than ever before.
        t = np.linspace(0, t1, 2_000_001)
        charge = np.maximum.accumulate(mean * t + 5 * swing * (1 - np.cos(t / 5)))
        exact = np.interp(np.arange(1, charge[-1] // 1350 + 1) * 1350, charge, t)
        assert exact.size >= 5
        np.testing.assert_allclose(spikes(solution), exact, rtol=1e-8)


@eqx.filter_jit
def phase(v, drive, t1, tau):
    """Spike times and the end of a theta neuron that starts at `v`; their derivatives by `v`."""
    neuron = Theta(tau=tau)

    def ends(v):
        solution = bpc.simulate(
            neuron, neuron.start(v), drive, t1=t1, dt=t1 / 4000, max_spikes=8, max_steps=4096,
            adjoint=dfx.ForwardMode(),
        )  # fmt: skip
        return solution.spikes.times, solution.ys.v[-1]

    return jax.jvp(ends, (v,), (jnp.ones_like(v),))


def test_theta_neurons_refuse_jumps_of_a_potential_that_they_do_not_have():
    network = bpc.Network(Theta(), [bpc.Projection(jnp.zeros((2, 2)), bpc.synapses.Delta())])
    with pytest.raises(ValueError, match="Exponential"):
        bpc.simulate(network, network.rest(2), jnp.ones(2), t1=1.0, dt=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("v, drive", [(0.0, 0.01), (0.7, 1.3), (-2.0, 30.0)])
def test_theta_has_period_and_phase_response_of_the_quadratic_neuron(v, drive):
    period = closed.theta_period(drive, 3.0)
    (times, _), (slopes, _) = phase(*arrays(v, drive, 4.2 * period, 3.0))
    exact = closed.theta_time_to_spike(v, drive, 3.0) + period * np.arange(4)
    np.testing.assert_allclose(times[:4], exact, rtol=1e-10)
    # A kick that brings the first spike sooner brings each later one sooner by as much.
    np.testing.assert_allclose(slopes[:4], -closed.theta_advance(v, drive, 3.0), rtol=1e-9)


@pytest.mark.slow
def test_theta_without_enough_drive_rests():
    (times, v), _ = phase(*arrays(0.4, -0.25, 60.0, 1.0))
    assert np.isinf(times).all()
    close(v, -0.5, 1e-9)  # v^2 = 0.25, the lower of the two
    rest = Theta().rest((2,))
    np.testing.assert_array_equal(Theta().vector_field(0.0, rest, jnp.zeros(2)).theta, 0.0)


# --- the formal neuron -------------------------------------------------------------------------

# Two inputs, then OR and AND of them, then their difference, which is XOR. [pre, post]
XOR = np.zeros((5, 5))
XOR[0, [2, 3]] = XOR[1, [2, 3]] = 1.0
XOR[2, 4], XOR[3, 4] = 1.0, -2.0
FORMAL = McCullochPitts(threshold=jnp.array([0.5, 0.5, 0.5, 1.5, 0.5]))
TABLE = [([0, 0], [0, 0, 0]), ([0, 1], [1, 0, 1]), ([1, 0], [1, 0, 1]), ([1, 1], [1, 1, 0])]


@pytest.mark.parametrize("given, layers", TABLE)
def test_formal_neurons_compute_what_no_single_one_can(given, layers):
    drive, x = jnp.array([*given, 0.0, 0.0, 0.0]), FORMAL.rest((5,)).x
    for _ in range(3):  # as many layers
        x = FORMAL.update(x, XOR, drive)
    np.testing.assert_array_equal(x, [*given, *layers])


@eqx.filter_jit
def relax(neuron, weights, drive):
    y0 = neuron.rest(drive.shape)
    solution = bpc.simulate(
        neuron, y0, (weights, drive), t1=8.0, dt=0.005 * neuron.tau, max_steps=8192
    )
    return solution.ys.x[-1]


@pytest.mark.parametrize("given, layers", TABLE)
def test_the_map_is_the_limit_of_its_relaxation(given, layers):
    drive, taus = jnp.array([*given, 0.0, 0.0, 0.0]), np.array([1.0, 0.75, 0.5])
    neurons = [McCullochPitts(FORMAL.threshold, tau) for tau in taus]
    limit = np.array([*given, *layers])
    errors = [np.abs(relax(n, jnp.asarray(XOR), drive) - limit).max() for n in neurons]
    if not any(given):
        assert max(errors) == 0.0
    else:  # exp(-(t - t0 tau) / tau), where t0 tau is when the last input came to its side
        close(np.polyfit(1 / taus, np.log(errors), 1)[0], -8.0, 0.01)


def test_any_response_will_do_and_the_limit_is_its_fixed_point():
    random = np.random.default_rng(0)
    weights, drive = 0.4 * random.normal(size=(4, 4)), jnp.asarray(random.normal(size=4))
    soft = McCullochPitts(threshold=0.2, tau=0.2, phi=jnp.tanh)
    x = relax(soft, jnp.asarray(weights), drive)
    close(soft.update(x, weights, drive), x, 1e-12)
    close(x, np.tanh(np.asarray(x) @ weights + np.asarray(drive) - 0.2), 1e-12)


@pytest.mark.slow
def test_a_fast_leaky_neuron_is_a_formal_neuron():
    inputs = np.array([[0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1], [1, 1, 1]], float)
    weights = jnp.array([[30.0], [60.0], [-45.0]])  # pA; sums from -45 to 60
    fire = McCullochPitts(threshold=25.0).update(inputs, weights)[:, 0]
    # Threshold 10 mV above rest at g_l = 2.5 nS: 25 pA. Within a few time constants of 0.1 ms it
    # fires, or never does.
    neuron = bpc.Refractory(LIF(c=0.25, g_l=2.5, e_l=-60.0, v_th=-50.0), np.zeros(6))
    solution = run(neuron, inputs @ weights[:, 0], 1.0, neuron.rest((6,)))
    fired = np.isin(np.arange(6), np.asarray(solution.spikes.neurons))
    np.testing.assert_array_equal(fired, np.asarray(fire) == 1)
    assert 0 < fired.sum() < 6
