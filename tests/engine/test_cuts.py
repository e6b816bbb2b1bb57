"""A run that is cut and goes on is the run that was not cut: nothing lost, nothing twice."""

import dataclasses
import functools

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc

SIZE, T1, DT = 5, 60.0, 0.1
DRIVE = np.linspace(90.0, 130.0, SIZE)
GRID, LOCAL, ORDERED = bpc.GridSpikes(dfx.EulerHeun()), bpc.LocalSpikes(), bpc.OrderedSpikes()


class Noisy(bpc.AbstractSpikingSystem):
    """A leaky neuron with white noise."""

    neuron: bpc.neurons.LIF = eqx.field(default_factory=bpc.neurons.LIF)

    def vector_field(self, t, y, args):
        return self.neuron.vector_field(t, y, args)

    def noise(self, t, y, args):
        return jax.tree.map(lambda x: 0.3 * jnp.ones_like(x), y)

    def guard(self, t, y, args):
        return self.neuron.guard(t, y, args)

    def reset(self, t, y, args, fired):
        return self.neuron.reset(t, y, args, fired)

    def rest(self, shape=()):
        return self.neuron.rest(shape)


def hazard(distance):
    return 0.5 * jnp.exp(jnp.minimum(distance, 3.0) / 1.5)


def network(solver):
    """All that can be on its way: delays for all and for each connection, a train, holds, escape
    noise; for solvers of whole steps Poisson spikes, and white noise where they take it."""
    random = np.random.default_rng(0)
    weights = random.uniform(-20.0, 60.0, (SIZE, SIZE)) * (1 - np.eye(SIZE))
    times = np.concatenate([random.uniform(0.0, T1, 20), [0.0, 10.0, 30.0, 30.0, 33.3]])
    train = bpc.SpikeTrain(times, random.integers(0, 2, 25), channels=2)
    fast, slow = bpc.synapses.Exponential(5.0), bpc.synapses.DoubleExponential(1.0, 4.0)
    delays = random.uniform(0.3, 4.0, (SIZE, SIZE))
    projections = [
        bpc.Projection(weights, fast, delay=1.5),
        bpc.Projection(0.5 * weights, slow, delay=delays),
        bpc.Projection(random.uniform(20.0, 60.0, (2, SIZE)), fast, pre=train),
    ]
    if solver is not ORDERED:
        poisson = bpc.PoissonTrain(jnp.full(SIZE, 0.8), jax.random.key(3))
        projections.append(bpc.Projection(bpc.connect.OneToOne(2.0), fast, pre=poisson))
    cell = Noisy() if solver is GRID else bpc.neurons.LIF()
    return bpc.Network(bpc.Refractory(bpc.EscapeRate(cell, hazard), 2.0), projections)


def whole_and_pieces(solver, cuts, **options):
    """The run that is not cut, and the pieces of one that is."""
    net = network(solver)
    given = dict(max_spikes=150, max_steps=1024, throw=False)
    begin = given | dict(dt=DT, solver=solver, key=jax.random.key(5)) | options
    whole = bpc.simulate(net, net.rest(SIZE), DRIVE, t1=T1, **begin)
    pieces = [bpc.simulate(net, net.rest(SIZE), DRIVE, t1=cuts[0], **begin)]
    for t1 in (*cuts[1:], T1):
        pieces.append(bpc.simulate(net, pieces[-1].restart, DRIVE, t1=t1, **given))
    assert bool(whole.ok) and all(bool(piece.ok) for piece in pieces)
    return whole, pieces


def record_of(*pieces):
    """Times and neurons, in the order of the run, of spikes that several runs recorded."""
    parts = [
        (np.asarray(p.spikes.times)[: int(p.spikes.count)],
         np.asarray(p.spikes.neurons)[: int(p.spikes.count)])
        for p in pieces
    ]  # fmt: skip
    times, neurons = (np.concatenate(of) for of in zip(*parts, strict=True))
    order = np.lexsort((neurons, times))
    return times[order], neurons[order]


def assert_same(whole, pieces, tol):
    (times, neurons), (more, others) = record_of(whole), record_of(*pieces)
    assert len(times) > 8
    np.testing.assert_array_equal(neurons, others)
    np.testing.assert_allclose(more, times, rtol=0, atol=tol)
    for a, b in zip(jax.tree.leaves(whole.final), jax.tree.leaves(pieces[-1].final), strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=tol)


@functools.cache
def spike(solver):
    """A spike of the run, somewhere in its middle."""
    net = network(solver)
    solution = bpc.simulate(
        net, net.rest(SIZE), DRIVE, t1=T1, dt=DT, solver=solver, key=jax.random.key(5),
        max_spikes=150, max_steps=1024,
    )  # fmt: skip
    return float(solution.spikes.times[int(solution.spikes.count) // 2])


# Cuts: at an event of the train and on the grid; off the grid; at a spike; within a hold; twice
# in one step.
CUTS = {
    "two": lambda at: [30.0],
    "seven": lambda at: [3.33, 10.0, 20.055, 20.07, at, at + 0.77],
}


@pytest.mark.slow
@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("solver", [GRID, LOCAL], ids=["grid", "local"])
def test_whole_steps_go_on_to_the_bit_wherever_they_are_cut(solver, cuts):
    whole, pieces = whole_and_pieces(solver, sorted(cuts(spike(solver))))
    assert_same(whole, pieces, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS)
def test_ordered_spikes_go_on_to_the_accuracy_of_their_steps(cuts):
    whole, pieces = whole_and_pieces(ORDERED, sorted(cuts(spike(ORDERED))))
    assert_same(whole, pieces, 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("solver", [GRID, LOCAL, ORDERED], ids=["grid", "local", "ordered"])
def test_a_cut_in_single_precision(solver):
    with jax.enable_x64(False):
        whole, pieces = whole_and_pieces(solver, [3.33, 10.0, 20.055, 30.0, 41.7, 55.12])
        # Programs for runs that end inside a step may round the last digit in other ways.
        assert_same(whole, pieces, 1e-5 if solver is not ORDERED else 1e-2)


@pytest.mark.slow
def test_adaptive_steps_go_on_within_their_tolerance():
    control = dfx.PIDController(rtol=1e-9, atol=1e-9)
    options = dict(stepsize_controller=control, max_steps=65536)
    whole, pieces = whole_and_pieces(ORDERED, [17.3, 30.0], **options)
    assert_same(whole, pieces, 1e-6)


@pytest.mark.slow
def test_an_ornstein_uhlenbeck_process_goes_on_along_its_path():
    flow = bpc.Langevin(lambda y, args: 0.5 * jnp.sum(y**2), 0.5)
    options = dict(dt=0.1, key=jax.random.key(2), max_steps=128)
    whole = bpc.simulate(flow, jnp.zeros(4), t1=10.0, **options)
    first = bpc.simulate(flow, jnp.zeros(4), t1=3.0, **options)
    then = bpc.simulate(flow, first.restart, t1=10.0, max_steps=128)
    np.testing.assert_array_equal(then.final, whole.final)
    # Off the grid the path is the same, the step that is cut is made in two: error of order h.
    first = bpc.simulate(flow, jnp.zeros(4), t1=3.04, **options)
    then = bpc.simulate(flow, first.restart, t1=10.0, max_steps=128)
    assert 0 < np.abs(np.asarray(then.final - whole.final)).max() < 1e-2
    # Another key is another path from there on.
    other = bpc.simulate(flow, first.restart, t1=10.0, key=jax.random.key(7), max_steps=128)
    assert np.abs(np.asarray(other.final - whole.final)).max() > 1e-2


@pytest.mark.parametrize(
    "solver", [LOCAL, pytest.param(bpc.GridSpikes(), marks=pytest.mark.slow)], ids=["local", "grid"]
)
def test_what_was_saved_of_a_run_in_pieces_is_what_is_saved_of_the_whole(solver):
    lif, times = bpc.neurons.LIF(), np.linspace(0.0, 40.0, 81)
    options = dict(max_steps=512)
    begin = options | dict(dt=DT, solver=solver)
    whole = bpc.simulate(
        lif, lif.rest((1,)), 150.0, t1=40.0, saveat=dfx.SaveAt(ts=jnp.asarray(times)), **begin
    )
    cut = 21.93  # within the step of the first spike, 21.972 ms
    first = bpc.simulate(lif, lif.rest((1,)), 150.0, t1=cut, **begin)
    ts = dfx.SaveAt(t0=True, ts=jnp.asarray(times[times > cut]))
    then = bpc.simulate(lif, first.restart, 150.0, t1=40.0, saveat=ts, **options)
    np.testing.assert_array_equal(then.ys.v[0], first.final.v)
    np.testing.assert_array_equal(then.ys.v[1:], whole.ys.v[times > cut])


@pytest.mark.slow
def test_a_time_to_save_that_rounding_puts_after_the_end_is_the_end():
    lif, flow = bpc.neurons.LIF(), bpc.GradientFlow(lambda y, args: jnp.sum(y.v**2))
    saveat = dfx.SaveAt(ts=jnp.array([3.0, np.nextafter(40.0, np.inf)]))
    for system, solver in ((lif, bpc.GridSpikes()), (flow, dfx.Heun())):
        solution = bpc.simulate(
            system, lif.rest((1,)), 50.0, t1=40.0, dt=DT, solver=solver, saveat=saveat
        )
        np.testing.assert_array_equal(solution.ys.v[1], solution.final.v)
        assert solution.ts[1] == 40.0


def delayed():
    weights = np.array([[0.0, 400.0], [0.0, 0.0]])
    projection = bpc.Projection(weights, bpc.synapses.Exponential(5.0), delay=5.0)
    return bpc.Network(bpc.neurons.LIF(), [projection])


@pytest.mark.slow
def test_a_state_whose_spikes_are_on_their_way_starts_no_run():
    net, drive = delayed(), jnp.array([300.0, 0.0])
    first = bpc.simulate(net, net.rest(2), drive, t1=10.0, dt=DT, solver=bpc.GridSpikes())
    last = jax.tree.map(lambda x: x[-1], first.ys)
    for y in (last, first.final):
        with pytest.raises(RuntimeError, match="on their way.*found.restart"):
            bpc.simulate(net, y, drive, t0=10.0, t1=20.0, dt=DT)
        assert not bpc.simulate(net, y, drive, t0=10.0, t1=20.0, dt=DT, throw=False).ok
    # Said to be whole, it is: the run starts with nothing on its way.
    assert bpc.simulate(net, last._replace(way=None), drive, t0=10.0, t1=20.0, dt=DT).ok
    # Without delays nothing is on its way.
    plain = bpc.Network(net.neurons, [dataclasses.replace(net.projections[0], delay=None)])
    y = bpc.simulate(plain, plain.rest(2), drive, t1=10.0, dt=DT).final
    assert bpc.simulate(plain, y, drive, t0=10.0, t1=20.0, dt=DT).ok


def test_what_cannot_go_on_is_refused_by_name():
    net, drive = delayed(), jnp.array([300.0, 0.0])
    first = bpc.simulate(net, net.rest(2), drive, t1=10.0, dt=DT, solver=bpc.GridSpikes())
    for options, name in (
        ({"t0": 10.0}, "t0"),
        ({"dt": 0.05}, "dt and solver"),
        ({"solver": LOCAL}, "dt and solver"),
        ({"t1": 5.0}, "t1 must be later"),
    ):
        with pytest.raises(ValueError, match=name):
            bpc.simulate(net, first.restart, drive, **({"t1": 20.0} | options))
    other = bpc.Network(net.neurons, [])
    with pytest.raises(ValueError, match="system: it has 0 sources"):
        y = dataclasses.replace(first.restart, y=other.rest(2), final=other.rest(2))
        bpc.simulate(other, y, drive, t1=20.0)


@pytest.mark.slow
def test_a_run_that_failed_does_not_go_on_as_if_it_had_not():
    lif = bpc.neurons.LIF()
    options = dict(max_spikes=1, throw=False)
    first = bpc.simulate(lif, lif.rest((2,)), 150.0, t1=30.0, dt=DT, **options)
    then = bpc.simulate(lif, first.restart, 0.0, t1=40.0, **options)
    assert first.result == bpc.RESULTS.record_overflow
    assert then.result == bpc.RESULTS.record_overflow


@pytest.mark.slow
def test_a_run_that_an_event_ended_goes_on_where_nothing_is_on_its_way():
    lif = bpc.neurons.LIF(c=10.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)
    stop = dfx.Event(lambda t, y, args, **_: y.v[0] > 0.5)
    options = dict(dt=DT, max_spikes=5, solver=LOCAL, throw=False)
    first = bpc.simulate(lif, lif.rest((1,)), 1.5, t1=40.0, event=stop, **options)
    then = bpc.simulate(lif, first.restart, 1.5, t1=40.0, max_spikes=5)
    np.testing.assert_allclose(then.spikes.times[0], 10 * np.log(3.0), atol=1e-3)
    net = delayed()
    ended = bpc.simulate(net, net.rest(2), 300.0, t1=40.0, event=dfx.Event(
        lambda t, y, args, **_: t > 10.02), **options)  # fmt: skip
    then = bpc.simulate(net, ended.restart, 300.0, t1=40.0, throw=False)
    assert ended.ok and then.result == bpc.RESULTS.ended_by_event


@pytest.mark.slow
def test_a_restart_passes_jit_and_vmap():
    lif, drives = bpc.neurons.LIF(), jnp.array([120.0, 150.0])
    options = dict(dt=DT, max_steps=512, throw=False)

    def end(drive):
        return bpc.simulate(lif, lif.rest((1,)), drive, t1=40.0, solver=LOCAL, **options).final.v

    def in_two(drive):
        first = bpc.simulate(lif, lif.rest((1,)), drive, t1=20.0, solver=LOCAL, **options)
        return bpc.simulate(lif, first.restart, drive, t1=40.0, max_steps=512, throw=False).final.v

    in_pieces, whole = jax.jit(jax.vmap(in_two))(drives), jax.vmap(end)(drives)
    np.testing.assert_allclose(in_pieces, whole, rtol=1e-13)
    np.testing.assert_allclose(jax.grad(lambda d: in_two(d)[0])(150.0),
                               jax.grad(lambda d: end(d)[0])(150.0), rtol=1e-12)  # fmt: skip
