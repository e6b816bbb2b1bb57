"""Solves of smooth and noisy systems through `simulate`: the same numbers as diffrax alone."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.stepping.runge_kutta import Unrolled, unrolled

EXPLICIT = [dfx.Heun, dfx.Midpoint, dfx.Ralston, dfx.Bosh3, dfx.Tsit5, dfx.Dopri5, dfx.Dopri8]


class Pendulum(bpc.AbstractSystem):
    damping: jax.Array = bpc.parameter(0.1, nonnegative=True)

    def vector_field(self, t, y, args):
        angle, speed = y
        return speed, -jnp.sin(angle) - self.damping * speed + 0.2 * jnp.cos(t)


START = (jnp.array(1.0), jnp.array(0.3))


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXPLICIT, ids=lambda kind: kind.__name__)
def test_written_out_stages_give_diffrax_own_numbers(kind):
    assert isinstance(unrolled(kind()), Unrolled)
    options = dict(saveat=dfx.SaveAt(ts=jnp.linspace(0, 5, 23)), max_steps=1000)
    for controller in (dfx.ConstantStepSize(), dfx.PIDController(1e-5, 1e-5)):
        solution = bpc.simulate(
            Pendulum(), START, t1=5.0, dt=0.1, solver=kind(), stepsize_controller=controller,
            **options,
        )  # fmt: skip
        own = dfx.diffeqsolve(
            dfx.ODETerm(Pendulum().vector_field), kind(), 0.0, 5.0, 0.1, START,
            stepsize_controller=controller, **options,
        )  # fmt: skip
        assert int(solution.stats["num_steps"]) == int(own.stats["num_steps"])
        for mine, theirs in zip(solution.ys, own.ys, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-12)


def test_other_solvers_are_left_as_they_are():
    for solver in (dfx.Euler(), dfx.HalfSolver(dfx.Heun()), dfx.Kvaerno3(), dfx.EulerHeun()):
        assert unrolled(solver) is solver


@pytest.mark.slow
def test_an_implicit_inner_solver_finds_the_same_spikes():
    # LIF from rest, R I = 15 mV: spike k at k tau log(15 / 5) (closed form).
    lif = bpc.neurons.LIF()
    solution = bpc.simulate(
        lif, lif.rest(), 150.0, t1=60.0, dt=0.1, max_spikes=4,
        solver=bpc.OrderedSpikes(dfx.Kvaerno5()),
        stepsize_controller=dfx.PIDController(rtol=1e-9, atol=1e-9),
    )  # fmt: skip
    times = 20 * np.log(3) * np.arange(1, 3)
    np.testing.assert_allclose(solution.spikes.times[:2], times, atol=1e-6)


@pytest.mark.slow
def test_dense_output_and_a_progress_meter(capfd):
    lif = bpc.neurons.LIF()
    solution = bpc.simulate(
        lif, lif.rest(), 150.0, t1=30.0, dt=0.1, saveat=dfx.SaveAt(dense=True),
        progress_meter=dfx.TextProgressMeter(),
    )  # fmt: skip
    jax.block_until_ready(solution.evaluate(jnp.array(1.0)).v)
    assert "100.00%" in capfd.readouterr().out
    spike = 20 * np.log(3)
    for t in (10.0, spike - 1e-3, spike + 1e-3, 29.0):
        since = t if t < spike else t - spike
        expected = -60 + 15 * (1 - np.exp(-since / 20))
        np.testing.assert_allclose(solution.evaluate(jnp.asarray(t)).v, expected, atol=1e-8)
    with pytest.raises(ValueError, match="saveat"):
        bpc.simulate(lif, lif.rest(), 150.0, t1=1.0, dt=0.1).evaluate(jnp.array(1.0))


def test_values_change_without_a_new_trace():
    traces = 0

    class Counted(bpc.AbstractSystem):
        rate: jax.Array = bpc.parameter(1.0)

        def vector_field(self, t, y, args):
            nonlocal traces
            traces += 1
            return -self.rate * y + args

    def end(rate, drive, dt):
        return bpc.simulate(Counted(rate), jnp.ones(()), drive, t1=1.0, dt=dt, max_steps=50).ys

    end(1.0, 0.0, 0.1)
    first = traces
    traces = 0
    np.testing.assert_allclose(end(2.0, 1.0, 0.05), [0.5 + 0.5 * np.exp(-2)], atol=1e-8)
    # The checks of shapes trace it again, abstractly; the solve does not.
    assert 0 < traces <= 3 < first


@pytest.mark.slow
def test_a_noisy_neuron_spikes_and_is_reproducible():
    class Noisy(bpc.AbstractSpikingSystem):
        def vector_field(self, t, y, args):
            return args - y

        def noise(self, t, y, args):
            return jnp.full_like(y, 0.2)

        def guard(self, t, y, args):
            return y - 1.0

        def reset(self, t, y, args, fired):
            return jnp.where(fired, 0.0, y)

    def spikes(seed):
        return bpc.simulate(
            Noisy(), jnp.zeros(40), 1.5, t1=20.0, dt=0.01, key=jax.random.key(seed),
            max_spikes=1200,
        ).spikes  # fmt: skip

    one, same = spikes(0), spikes(0)
    np.testing.assert_array_equal(one.times, same.times)
    times = one.times[: one.count]
    assert (np.diff(times) >= 0).all()
    # Without noise 18 spikes per neuron in 20 (period log 3); weak noise moves that little.
    assert abs(int(one.count) / 40 - 20 / np.log(3)) < 1.5


@pytest.mark.slow
def test_noise_on_adaptive_steps_has_the_variance_of_fixed_ones():
    # Ornstein-Uhlenbeck at T = 0.5: variance 0.5, whatever the first step.
    flow = bpc.Langevin(lambda y, args: 0.5 * jnp.sum(y**2), 0.5)
    controller = dfx.PIDController(rtol=1e-2, atol=1e-2, dtmin=0.02, dtmax=0.05, force_dtmin=True)
    solution = bpc.simulate(
        flow, jnp.zeros(3000), t1=6.0, dt=6.0, key=jax.random.key(1), stepsize_controller=controller
    )
    assert abs(float(solution.ys.var()) - 0.5) < 5 * 0.5 * np.sqrt(2 / 3000)


def test_noisy_spikes_refuse_to_be_differentiated():
    neuron = bpc.neurons.LIF()

    class Noisy(bpc.AbstractSpikingSystem):
        def vector_field(self, t, y, args):
            return neuron.vector_field(t, y, args)

        def noise(self, t, y, args):
            return jax.tree.map(jnp.ones_like, y)

        def guard(self, t, y, args):
            return neuron.guard(t, y, args)

        def reset(self, t, y, args, fired):
            return neuron.reset(t, y, args, fired)

    def end(drive):
        key = jax.random.key(0)
        return bpc.simulate(Noisy(), neuron.rest(), drive, t1=30.0, dt=0.1, key=key).ys.v[0]

    with pytest.raises(RuntimeError):
        jax.grad(end)(150.0)


def test_bind_leaves_a_constant_drive_alone():
    system = Pendulum()
    assert bpc.bind(system, {"a": jnp.ones(2)}) is system
    bound = bpc.bind(system, lambda t: t)
    assert bound is not system and eqx.is_array(bound.vector_field(0.0, START, lambda t: t)[0])


@pytest.mark.slow
def test_saving_at_the_very_time_of_a_jump_of_the_drive():
    # Such a time may fall one rounding before the start of its step: the state is there all the
    # same. tau dv/dt = -v + drive with a pulse in [2, 3), from 0: v(2) = 0, v(3) = 1 - exp(-1/20).
    leaky = bpc.neurons.LIF(c=20.0, g_l=1.0, e_l=0.0, v_th=10.0, v_reset=0.0)
    jumps = jnp.array([2.0, 3.0])
    solution = bpc.simulate(
        leaky,
        leaky.rest(),
        lambda t: jnp.where((t >= 2.0) & (t < 3.0), 1.0, 0.0),
        t1=5.0,
        dt=0.1,
        saveat=dfx.SaveAt(ts=jnp.array([2.0, 3.0, 4.0])),
        stepsize_controller=dfx.ClipStepSizeController(
            dfx.PIDController(rtol=1e-10, atol=1e-10), jump_ts=jumps
        ),
    )
    top = 1 - np.exp(-1 / 20)
    np.testing.assert_allclose(solution.ys.v, [0.0, top, top * np.exp(-1 / 20)], atol=1e-9)
