"""Published firing patterns: each spike against an independent solve, and the pattern itself."""

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.neurons import Pulses, adex_patterns, izhikevich2007_cells, izhikevich_classes
from theory.closed_forms import neurons_ivp

ADEX, SIMPLE, CELLS = adex_patterns(), izhikevich_classes(), izhikevich2007_cells()


@eqx.filter_jit
def solve(pattern, edges):
    control = dfx.PIDController(rtol=1e-10, atol=1e-10)
    if edges is not None:
        control = dfx.ClipStepSizeController(control, jump_ts=edges)
    return bpc.simulate(
        pattern.neuron, pattern.y0, pattern.drive, t1=pattern.t1, dt=0.1, max_spikes=256,
        stepsize_controller=control, max_steps=131072,
    )  # fmt: skip


def spike_times(pattern):
    """In exact mode."""
    solution = solve(pattern, pattern.drive.edges if isinstance(pattern.drive, Pulses) else None)
    return np.asarray(solution.spikes.times)[: int(solution.spikes.count)]


def given(neuron, *names):
    return {name: float(getattr(neuron, name)) for name in names}


# --- every spike -------------------------------------------------------------------------------

# Of independent event-exact solutions at 1e-12: how many spikes, the first, the last.
NUMBERS = [
    (ADEX, "tonic", 62, [14.222934, 23.151826, 32.242119], 596.377113),
    (ADEX, "adaptation", 12, [14.904044, 26.171812, 40.547918], 583.333107),
    (SIMPLE, "RS", 12, [3.451625, 20.556106, 65.492065], 468.80379),
    (SIMPLE, "FS", 69, [3.494403, 7.419705], None),
]


@pytest.mark.parametrize("family, name, count, first, last", NUMBERS)
def test_presets_fire_at_the_reference_times(family, name, count, first, last):
    times = spike_times(family[name])
    assert times.size == count
    np.testing.assert_allclose(times[: len(first)], first, rtol=0, atol=1e-5)
    if last is not None:
        np.testing.assert_allclose(times[-1], last, rtol=0, atol=1e-5)


def test_regular_and_fast_spiking_start_at_their_rest():
    # v0 = -70 and u0 = b v0 are part of the numbers.
    for name in ("RS", "FS"):
        np.testing.assert_allclose(SIMPLE[name].y0, [-70.0, -14.0], rtol=0, atol=1e-12)


# The others against the oracle, but for the irregular pattern, which is chaotic.


@pytest.mark.parametrize("name", [*ADEX][2:7])
def test_adex_patterns_fire_when_the_equations_say(name):
    pattern = ADEX[name]
    names = "c", "g_l", "e_l", "v_t", "delta_t", "tau_w", "a", "b", "v_reset", "v_cut"
    current, t1 = float(pattern.drive), 350.0
    exact = neurons_ivp.adex(current, t1, **given(pattern.neuron, *names))
    times = spike_times(pattern)
    np.testing.assert_allclose(times[times < t1], exact, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["IB", "CH", "LTS", "TC", "TC rebound", "RZ"])
def test_izhikevich_classes_fire_when_the_equations_say(name):
    pattern, t1 = SIMPLE[name], 350.0
    drive, edges = pattern.drive, ()
    if isinstance(drive, Pulses):
        starts, width, height = map(np.asarray, (drive.starts, drive.width, drive.height))
        edges = np.sort([*starts, *(starts + width)])

        def current(t):
            return height if ((t >= starts) & (t < starts + width)).any() else 0.0
    else:
        size = float(drive)

        def current(t):
            return size

    start = dict(v0=float(pattern.y0.v), u0=float(pattern.y0.u), jumps=edges)
    cell = given(pattern.neuron, "a", "b", "c", "d", "v_peak")
    exact = neurons_ivp.izhikevich(current, t1, **start, **cell)
    times = spike_times(pattern)
    np.testing.assert_allclose(times[times < t1], exact, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CELLS])
def test_cells_of_2007_fire_when_the_equations_say(name):
    pattern, recoveries = CELLS[name], {
        "RS": lambda v: -2 * (v + 60),
        "IB": lambda v: 5 * (v + 75),
        "CH": lambda v: v + 60,
        "FS": lambda v: 0.025 * max(v + 55, 0.0) ** 3,
    }  # fmt: skip
    names = "capacitance", "k", "v_r", "v_t", "a", "c", "d", "v_peak"
    exact = neurons_ivp.izhikevich2007(
        float(pattern.drive), float(pattern.t1), recovery=recoveries[name],
        **given(pattern.neuron, *names),
    )  # fmt: skip
    np.testing.assert_allclose(spike_times(pattern), exact, rtol=0, atol=1e-5)


# --- the patterns ------------------------------------------------------------------------------


def cycle(intervals):
    """After how many intervals they repeat in the end, to 2 %; `None` if they never do."""
    if np.ptp(intervals[-3:]) < 0.02 * intervals[-1]:
        return 1
    late = intervals[len(intervals) // 2 :]
    for length in range(2, len(late) // 2 + 1):
        if (np.abs(late[length:] / late[:-length] - 1) < 0.02).all():
            return length
    return None


def pattern_of(times, t1):
    """What spikes under a step of current look like, by their intervals."""
    if times[-1] < t1 / 2:
        return "transient"
    intervals = np.diff(times)
    leaps = (intervals[1:] > 3 * intervals[:-1]).sum()  # from a burst into a pause
    repeats = cycle(intervals)
    if repeats is None:
        return "irregular"
    if repeats > 1:
        return "bursting" if leaps > 1 else "irregular"
    if leaps:
        return "initial burst"
    change = intervals[-1] / intervals[0]
    return "adapting" if change > 2 else "accelerating" if change < 0.7 else "tonic"


EXPECTED = [
    (ADEX, "tonic", "tonic"),
    (ADEX, "adaptation", "adapting"),
    (ADEX, "initial burst", "initial burst"),
    (ADEX, "regular bursting", "bursting"),
    (ADEX, "delayed accelerating", "accelerating"),
    (ADEX, "delayed regular bursting", "bursting"),
    (ADEX, "transient", "transient"),
    (ADEX, "irregular", "irregular"),
    (SIMPLE, "RS", "adapting"),
    (SIMPLE, "IB", "initial burst"),
    (SIMPLE, "CH", "bursting"),
    (SIMPLE, "FS", "tonic"),
    (SIMPLE, "LTS", "adapting"),
    (SIMPLE, "TC", "adapting"),
    (SIMPLE, "TC rebound", "transient"),
    (CELLS, "RS", "tonic"),
    (CELLS, "IB", "initial burst"),
    (CELLS, "CH", "bursting"),
    (CELLS, "FS", "tonic"),
]


@pytest.mark.slow
@pytest.mark.parametrize("family, name, kind", EXPECTED)
def test_a_preset_fires_the_pattern_of_its_name(family, name, kind):
    assert pattern_of(spike_times(family[name]), float(family[name].t1)) == kind


def test_delayed_patterns_wait_longer_than_the_membrane():
    latencies = {k: spike_times(p)[0] * float(p.neuron.g_l / p.neuron.c) for k, p in ADEX.items()}
    for name, latency in latencies.items():
        if name.startswith("delayed"):
            assert latency > 2.0  # time constants of the membrane
        elif name not in ("transient", "irregular"):
            assert latency < 1.0


def test_bursts_have_the_sizes_of_the_figures():
    # Spikes a burst, once regular: Naud et al. (2008) Fig. 4d and 4f; Izhikevich (2003) Fig. 2.
    for family, name, size in [
        (ADEX, "regular bursting", 2),
        (ADEX, "delayed regular bursting", 4),
        (SIMPLE, "CH", 5),
    ]:
        assert cycle(np.diff(spike_times(family[name]))) == size


def test_the_irregular_pattern_is_chaotic():
    # Independent solves part in time, so only statistics are compared.
    pattern = ADEX["irregular"]
    nearby = eqx.tree_at(lambda p: p.y0.w, pattern, pattern.y0.w + 1e-3)
    one, other = (spike_times(p) for p in (pattern, nearby))
    assert abs(one.size - other.size) <= 2 and 30 <= one.size <= 36  # 33 by the oracle
    gap = np.abs(one[:25] - other[:25])
    assert gap[:3].max() < 1e-3 and gap.max() > 1.0
    for times in (one, other):  # 0.5 to 0.6, by the oracle too
        intervals = np.diff(times)[5:]
        assert 0.4 < intervals.std() / intervals.mean() < 0.7


@pytest.mark.slow
def test_fast_spiking_cells_are_fast_and_do_not_adapt():
    for family in (SIMPLE, CELLS):
        fast, regular = (np.diff(spike_times(family[name]))[-1] for name in ("FS", "RS"))
        assert 1000 / fast > 75 and fast < regular / 4


def test_thalamic_cells_have_two_modes():
    rest, released = (spike_times(SIMPLE[name]) for name in ("TC", "TC rebound"))
    assert np.diff(rest).min() > 10  # single spikes under a small drive
    assert released.size > 5 and np.diff(released)[:4].max() < 7  # a burst without any drive


@pytest.mark.slow
def test_the_resonator_answers_the_rhythm_of_its_own_period():
    pattern = SIMPLE["RZ"]
    starts, rest = np.asarray(pattern.drive.starts), pattern.neuron.rest()
    np.testing.assert_allclose(rest.v, pattern.y0.v)
    # Eigenvalues of the flow at rest: (0.08 v + 5, -1; a b, -a).
    v, a, b = float(rest.v), 0.1, 0.26
    own = np.linalg.eigvals([[0.08 * v + 5, -1], [a * b, -a]])
    period = 2 * np.pi / np.abs(own.imag).max()
    gaps = np.diff(starts)[[0, 2]]
    assert abs(gaps[1] - period) < 2 and abs(gaps[0] - period / 2) < 2
    times = spike_times(pattern)
    assert times.size == 1 and starts[3] < times[0] < starts[3] + 25


@eqx.filter_jit
def constant_steps(pattern, dt):
    return bpc.simulate(
        pattern.neuron, pattern.y0, pattern.drive, t1=pattern.t1, dt=dt, max_spikes=128,
        max_steps=16384,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ADEX][:-1])
def test_a_lower_cut_suits_constant_steps(name):
    solution = constant_steps(adex_patterns(v_cut=-30.0)[name], jnp.asarray(0.05))
    count, exact = int(solution.spikes.count), spike_times(ADEX[name])
    assert count == exact.size
    # 1 us a spike, 62 of them at most, and the step's own error.
    np.testing.assert_allclose(solution.spikes.times[:count], exact, rtol=0, atol=0.1)
