"""Statistics of spike trains: renewal theory, common input, plain numpy, hostile records."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import bpcjax as bpc
from bpcjax import Spikes
from bpcjax.analysis import spike_statistics
from tests.support.records import common, record, trains_of


def gamma_trains(rng, size, order, rate, t1):
    """Stationary renewal trains: every `order`-th event of a Poisson process."""
    trains = []
    for _ in range(size):
        events = np.cumsum(rng.exponential(1 / (order * rate), int(2 * order * rate * t1)))
        trains.append(events[rng.integers(order) :: order])
    return [train[train < t1] for train in trains]


# --- closed forms ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, 4, 25])
def test_gamma_trains_are_as_irregular_as_renewal_theory_says(order):
    # Cox (1962), Renewal Theory, for gamma intervals of mean 1: CV^2 = 1 / k, and counts in
    # windows of length T vary by T / k + (1 - 1 / k^2) / 6, up to terms that vanish with T.
    # Lv: Shinomoto et al. (2003), eq. 2.4. k = 1 is Poisson.
    size, t1, window = 40, 2000.0, 10.0
    trains = gamma_trains(np.random.default_rng(order), size, order, 1.0, t1)
    statistics = spike_statistics(record(trains), size, t0=0.0, t1=t1, window=window)
    assert statistics.ok and statistics.enough.all()
    few = 1 / np.sqrt(size * t1)  # relative errors of means over all intervals are about this
    np.testing.assert_allclose(statistics.rate.mean(), 1.0, atol=5 * few)
    np.testing.assert_allclose(statistics.interval_mean.mean(), 1.0, atol=5 * few)
    np.testing.assert_allclose(statistics.cv.mean(), order**-0.5, rtol=8 * few)
    np.testing.assert_allclose(
        statistics.local_variation.mean(), 3 / (2 * order + 1), rtol=10 * few
    )
    fano = 1 / order + (1 - order**-2) / (6 * window)
    # Variances of W windows have a relative error of sqrt(2 / W).
    np.testing.assert_allclose(
        statistics.fano.mean(), fano, rtol=4 * np.sqrt(2 * window / t1 / size)
    )


def test_regular_trains_do_not_vary():
    trains = [np.arange(0.5, 100.0, 2.0), np.arange(0.25, 100.0, 5.0), np.arange(1.0, 100.0, 10.0)]
    statistics = spike_statistics(record(trains), 3, t0=0.0, t1=100.0, window=10.0)
    np.testing.assert_allclose(statistics.rate, [0.5, 0.2, 0.1])
    np.testing.assert_allclose(statistics.interval_mean, [2.0, 5.0, 10.0])
    for zero in (statistics.cv, statistics.local_variation, statistics.fano):
        np.testing.assert_allclose(zero, 0.0, atol=1e-12)
    assert statistics.enough.all() and np.isnan(statistics.synchrony)  # no count varies


@pytest.mark.slow
@pytest.mark.parametrize("keep", [0.3, 1.0])
def test_common_input_makes_trains_synchronous(keep):
    # Counts in a window T: variance p m T, covariance p^2 m T. So chi^2 = 1/N + (1 - 1/N) p,
    # exactly 1 where all spikes are shared.
    size, t1 = 10, 20_000.0
    spikes = record(common(np.random.default_rng(1), size, keep, 0.5, t1))
    statistics = spike_statistics(spikes, size, t0=0.0, t1=t1, window=20.0)
    expected = 1 / size + (1 - 1 / size) * keep
    np.testing.assert_allclose(statistics.synchrony, expected, rtol=1e-12 if keep == 1.0 else 0.05)
    # One train in effect: a relative error of sqrt(2 / 1000).
    np.testing.assert_allclose(statistics.fano.mean(), 1.0, atol=4 * np.sqrt(2 / 1000))


@pytest.mark.slow
def test_independent_poisson_trains_are_not_synchronous():
    size, t1 = 30, 2000.0
    rng = np.random.default_rng(2)
    rates = np.linspace(0.1, 1.0, size)  # chi^2 is 1 / N whatever the rates are
    spikes = record([rng.uniform(0, t1, rng.poisson(rate * t1)) for rate in rates])
    statistics = spike_statistics(spikes, size, t0=0.0, t1=t1, window=5.0)
    # The variance over W = 400 windows has a relative error of sqrt(2 / W).
    np.testing.assert_allclose(statistics.synchrony, 1 / size, rtol=4 * np.sqrt(2 / 400))


# --- agreement with plain numpy ----------------------------------------------------------------


@given(trains=trains_of(st.integers(0, 399).map(lambda n: n / 4)))
@settings(max_examples=60, deadline=None)
def test_statistics_are_numpys(trains):
    t0, t1, window = 10.0, 82.0, 16.0  # four windows, and 8 that are in none
    trains = [np.sort(np.asarray(train, float)) for train in [*trains, [], [], []][:4]]
    statistics = spike_statistics(record(trains, 50), 4, t0=t0, t1=t1, window=window)
    assert statistics.ok
    edges = t0 + window * np.arange(5)
    counts = []
    for k, train in enumerate(trains):
        own = train[(train >= t0) & (train < t1)]
        gaps = np.diff(own)
        assert statistics.count[k] == len(own)
        np.testing.assert_allclose(statistics.rate[k], len(own) / (t1 - t0))
        mean = gaps.mean() if len(gaps) else np.nan
        np.testing.assert_allclose(statistics.interval_mean[k], mean)
        assert statistics.enough[k] == (len(own) >= 3)
        if statistics.enough[k]:
            a, b = gaps[1:], gaps[:-1]
            np.testing.assert_allclose(statistics.cv[k], gaps.std() / gaps.mean(), atol=1e-12)
            local = 3 * np.mean(((a - b) / (a + b)) ** 2)
            np.testing.assert_allclose(statistics.local_variation[k], local, atol=1e-12)
        else:
            assert np.isnan(statistics.cv[k]) and np.isnan(statistics.local_variation[k])
        counts.append(
            [((own >= a) & (own < b)).sum() for a, b in zip(edges[:-1], edges[1:], strict=True)]
        )
    counts = np.asarray(counts, float)
    mean, variance = counts.mean(axis=1), counts.var(axis=1, ddof=1)
    fano = np.where(mean > 0, variance / np.where(mean > 0, mean, 1), np.nan)
    np.testing.assert_allclose(statistics.fano, fano, atol=1e-12)
    single = variance.mean()
    synchrony = counts.mean(axis=0).var(ddof=1) / single if single > 0 else np.nan
    np.testing.assert_allclose(statistics.synchrony, synchrony, atol=1e-12)


# --- transformations ---------------------------------------------------------------------------


@pytest.mark.slow
def test_a_batch_of_solves_is_as_one_after_another():
    neuron = bpc.neurons.LIF()

    def statistics(drive):
        solution = bpc.simulate(
            neuron,
            neuron.rest((3,)),
            drive * jnp.array([0.0, 1.0, 2.0]),
            t1=200.0,
            dt=0.5,
            max_spikes=60,
            throw=False,
        )
        return spike_statistics(solution.spikes, 3, t0=0.0, t1=200.0, window=50.0)

    drives = jnp.array([60.0, 150.0, 5000.0])  # pA; the last has more spikes than room
    batch = jax.jit(jax.vmap(statistics))(drives)
    np.testing.assert_array_equal(batch.ok, [True, True, False])
    alone = jax.jit(statistics)
    for k, drive in enumerate(drives):
        one = alone(drive)
        for a, b in zip(jax.tree.leaves(batch), jax.tree.leaves(one), strict=True):
            np.testing.assert_allclose(a[k], b, rtol=1e-9, atol=1e-12)
    # T = tau ln((RI - V_r) / (RI - V_th)): the interval at a constant drive.
    r_i = 150.0 / neuron.g_l
    period = (
        neuron.c
        / neuron.g_l
        * np.log((neuron.e_l + r_i - neuron.v_reset) / (neuron.e_l + r_i - neuron.v_th))
    )
    np.testing.assert_allclose(batch.interval_mean[1, 1], period, rtol=1e-6)
    np.testing.assert_allclose(batch.cv[1, 1], 0.0, atol=1e-6)
    assert np.isnan(batch.rate[2]).all() and np.isnan(batch.cv[:, 0]).all()
    np.testing.assert_array_equal(batch.rate[0, :2], 0.0)  # 60 pA lift v by 6 mV of 10


@pytest.mark.slow
def test_derivatives_pass_through_the_times():
    neurons = jnp.array([0, 1, 0, 0, 2, 0, 2, -1])
    times = jnp.array([1.0, 2.0, 3.5, 4.0, 6.0, 7.0, 8.0, jnp.inf])

    def irregularity(times):
        spikes = Spikes(times, neurons, jnp.array(7))
        statistics = spike_statistics(spikes, 4, t0=0.0, t1=10.0, window=5.0)
        return statistics.cv[0] + statistics.local_variation[0] + statistics.interval_mean[2]

    statistics = jax.grad(irregularity)(times)[:7]
    steps = 1e-6 * np.eye(8)[:7]
    each = [(irregularity(times + h) - irregularity(times - h)) / 2e-6 for h in steps]
    np.testing.assert_allclose(statistics, each, atol=1e-8)


# --- hostile records ---------------------------------------------------------------------------

times = st.one_of(
    st.floats(-20.0, 120.0, allow_subnormal=False),  # XLA takes subnormal numbers for 0
    st.sampled_from([np.inf, -np.inf, np.nan, 0.0, 100.0]),
)


@given(entries=st.lists(st.tuples(times, st.integers(-1, 4)), max_size=12), extra=st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_no_record_makes_up_a_number(entries, extra):
    room = 12
    at = [*(t for t, _ in entries), *[np.inf] * (room - len(entries))]
    of = [*(n for _, n in entries), *[-1] * (room - len(entries))]
    count = len(entries) + extra * room  # an overflow if there is something extra
    spikes = Spikes(jnp.array(at, float), jnp.array(of), jnp.array(count))
    statistics = spike_statistics(spikes, 3, t0=0.0, t1=100.0, window=25.0)
    broken = any(n >= 3 or (n >= 0 and np.isnan(t)) for t, n in entries)
    assert statistics.ok == (count <= room and not broken)
    wanted = [sum(n == k and 0 <= t < 100 for t, n in entries) for k in range(3)]
    np.testing.assert_array_equal(statistics.count, wanted)
    if not statistics.ok:
        for value in (
            statistics.rate,
            statistics.interval_mean,
            statistics.cv,
            statistics.fano,
            statistics.synchrony,
        ):
            assert np.isnan(value).all()
        assert not statistics.enough.any()
    else:
        np.testing.assert_allclose(statistics.rate, np.array(wanted) / 100)
        np.testing.assert_array_equal(np.isnan(statistics.interval_mean), np.array(wanted) < 2)
        np.testing.assert_array_equal(np.isnan(statistics.fano), np.array(wanted) == 0)
        np.testing.assert_array_equal(np.isnan(statistics.cv), ~statistics.enough)
        assert not statistics.enough[np.array(wanted) < 3].any()


@pytest.mark.slow
@pytest.mark.parametrize("room", [0, 1, 4])
def test_silence_has_a_rate_and_nothing_else(room):
    statistics = spike_statistics(record([[], []], room), 2, t0=0.0, t1=10.0, window=5.0)
    assert statistics.ok and not statistics.enough.any()
    np.testing.assert_array_equal(statistics.rate, 0.0)
    for value in (
        statistics.interval_mean,
        statistics.cv,
        statistics.local_variation,
        statistics.fano,
    ):
        assert np.isnan(value).all()
    assert np.isnan(statistics.synchrony)


def test_a_neuron_needs_as_many_intervals_as_asked_for():
    spikes = record([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0, 7.0], [3.0, 3.0, 3.0]])
    options = dict(t0=0.0, t1=10.0, window=5.0)
    np.testing.assert_array_equal(spike_statistics(spikes, 3, **options).enough, [1, 1, 0])
    statistics = spike_statistics(spikes, 3, min_intervals=3, **options)
    np.testing.assert_array_equal(statistics.enough, [0, 1, 0])
    # Intervals 1, 2, 3: mean 2, variance 2 / 3.
    np.testing.assert_allclose(statistics.cv, [np.nan, np.sqrt(2 / 3) / 2, np.nan])


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, named",
    [
        (dict(size=0), "size"),
        (dict(t1=0.0), "t0 and t1"),
        (dict(t0=np.nan), "t0 must be finite"),
        (dict(t1=np.inf), "t1 must be finite"),
        (dict(window=0.0), "window"),
        (dict(window=np.nan), "window"),
        (dict(window=6.0), "window: 6.0 fits less than twice"),
        (dict(min_intervals=1), "min_intervals"),
    ],
)
def test_statistics_name_what_makes_no_sense(options, named):
    options = dict(size=2, t0=0.0, t1=10.0, window=1.0) | options
    with pytest.raises(ValueError, match=named):
        spike_statistics(record([[1.0], [2.0]]), options.pop("size"), **options)


def test_times_are_static_and_records_are_taken_one_by_one():
    spikes = record([[1.0], [2.0]])
    options = dict(t0=0.0, t1=10.0, window=1.0)
    with pytest.raises(ValueError, match="t0, t1 and window are static"):
        jax.jit(lambda t: spike_statistics(spikes, 2, **(options | dict(t1=t))))(10.0)
    # What `vmap` returns: its leaves have one axis more.
    batch = jax.vmap(lambda x: jax.tree.map(lambda y: y + 0 * x.astype(y.dtype), spikes))(
        jnp.zeros(3)
    )
    with pytest.raises(ValueError, match="spikes: a batch"):
        spike_statistics(batch, 2, **options)
