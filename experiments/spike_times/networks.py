"""Networks that answer by which output spikes first, and codes of inputs as spikes.

Neurons have no leak and exponential currents, as in Mostafa (2017), and spike once: they are held
after it, and their clock then tells when it was. So the time of a spike is part of the state at
the end of the solve, and its derivative is that of the state.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

import bpcjax as bpc
from bpcjax.inputs import AbstractTrain
from bpcjax.stepping import AbstractSpikes

NEVER = -1  # the level of a pixel that does not spike


class Weighted(AbstractTrain):
    """Input spikes in bins that weights were applied to beforehand, all in one product: `bins`
    has an amount for each target."""

    bins: bpc.Bins

    @property
    def channels(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """How many targets there are."""
        return self.bins.amounts.shape[-1]

    def wait(self, t0, neurons, room):
        """As that of the bins."""
        return self.bins.wait(t0, neurons, room)

    def due(self, state):
        """As that of the bins."""
        return self.bins.due(state)

    def take(self, state, t):
        """As that of the bins."""
        return self.bins.take(state, t)

    def begin(self, t0, neurons, room, dtype):
        """As that of the bins."""
        return self.bins.begin(t0, neurons, room, dtype)

    def land(self, state, step, places, spiked):
        """As that of the bins."""
        return self.bins.land(state, step, places, spiked)

    def open(self, state, step):
        """As that of the bins."""
        return self.bins.open(state, step)

    def close(self, state, step, spikes):
        """As that of the bins."""
        return self.bins.close(state, step, spikes)


def _identity(arrivals: Array) -> Array:
    return arrivals


class Answer(NamedTuple):
    """Of each neuron, hidden ones first: the time (ms) of its spike, the end of the solve where
    it was silent; whether it `fired`; its potential at the end; whether the solve went well."""

    times: Float[Array, "*batch n"]
    fired: Bool[Array, "*batch n"]
    potential: Float[Array, "*batch n"]
    ok: Bool[Array, "*batch"]


class FirstSpikes(eqx.Module):
    """A hidden layer and outputs, in one flat network. A synapse's weight is what its spike adds
    to the potential in the long run, in thresholds; `bias` is that of a steady current in a ms."""

    into: Float[Array, "inputs hidden"]
    out: Float[Array, "hidden classes"]
    bias: Float[Array, " n"]
    tau: float = eqx.field(static=True, default=5.0)  # ms, of the synapses
    t1: float = eqx.field(static=True, default=16.0)  # ms, the end of the solve
    dt: float = eqx.field(static=True, default=1.0)  # ms

    @property
    def hidden(self) -> int:
        """The number of hidden neurons."""
        return self.into.shape[1]

    def network(self, train: AbstractTrain) -> bpc.Network:
        """The network with its input: spikes of the pixels, or those weighted beforehand."""
        n = self.bias.shape[0]
        neuron = bpc.neurons.IF(c=self.tau, v_th=1.0, v_reset=0.0)  # pyright: ignore
        once = bpc.Refractory(neuron, 2 * self.t1)  # pyright: ignore
        synapse = bpc.synapses.Exponential(self.tau)  # pyright: ignore
        first, last = slice(0, self.hidden), slice(self.hidden, n)
        weights: Any = _identity if isinstance(train, Weighted) else self.into
        return bpc.Network(
            once,
            [
                bpc.Projection(weights, synapse, pre=train, post=first),
                bpc.Projection(self.out, synapse, pre=first, post=last),
            ],
        )

    def __call__(self, train: AbstractTrain, solver: AbstractSpikes | None = None) -> Answer:
        """The answer to one input. By default in `LocalSpikes`, which a batch may be `vmap`ped
        over."""
        net, n = self.network(train), self.bias.shape[0]
        solution = bpc.simulate(
            net, net.rest(n), self.tau * self.bias, t1=self.t1, dt=self.dt,
            solver=bpc.LocalSpikes(gather=n) if solver is None else solver,
            adjoint=dfx.RecursiveCheckpointAdjoint(checkpoints=round(self.t1 / self.dt)),
            throw=False,
        )  # fmt: skip
        end = jax.tree.map(lambda leaf: leaf[-1], solution.ys).neurons
        fired = end.active < 0.5
        # The clock was set to 2 t1 at the spike.
        times = jnp.where(fired, end.clock - self.t1, self.t1)
        return Answer(times, fired, end.neuron.v, solution.ok)

    def outputs(self, of: Array) -> Array:
        """The outputs' part of what there is one of for each neuron."""
        return of[..., self.hidden :]


def init_network(
    key: Key[Array, ""],
    sizes: tuple[int, int, int],
    *,
    spikes: float,
    gain: tuple[float, float] = (2.5, 6.0),
    spread: tuple[float, float] = (0.5, 0.45),
    bias: float = 0.06,
    **times: Any,
) -> FirstSpikes:
    """Random network of inputs, hidden neurons and outputs, of which nearly all fire at the start.

    All of the `spikes` that an input typically has, and all hidden neurons, would bring a neuron
    `gain` thresholds, with standard deviation `spread`; `bias` drives the outputs, so that they
    fire at last. `times` are those of `FirstSpikes`.
    """
    inputs, hidden, classes = sizes
    parts = []
    for part, n, shape, mean, width in zip(
        jax.random.split(key), (spikes, hidden), (sizes[:2], sizes[1:]), gain, spread, strict=True
    ):
        parts.append(mean / n + width / n**0.5 * jax.random.normal(part, shape))
    start = jnp.concatenate([jnp.zeros(hidden), jnp.full(classes, bias)])
    into, out = parts
    return FirstSpikes(into, out, start, **times)


class Levels(NamedTuple):
    """Pixels in 0..1 as the times of single spikes: brighter ones earlier, in `count` levels, level
    k at `(k + 1) dt`; those up to `dark` never spike."""

    count: int = 8
    dark: float = 0.1

    def of(self, x: Float[Array, "*n"]) -> Int[Array, "*n"]:
        """The level of each pixel."""
        level = jnp.floor((1 - x) * (self.count / (1 - self.dark)))
        return jnp.where(x > self.dark, level.clip(0, self.count - 1), NEVER).astype(jnp.int32)

    def weighted(self, model: FirstSpikes, x: Float[Array, " inputs"]) -> Weighted:
        """The spikes of one image, weighted: for training."""
        bins = self.of(x)[None] == jnp.arange(self.count)[:, None]
        return Weighted(bpc.Bins(bins.astype(model.into.dtype) @ model.into, model.dt))  # pyright: ignore

    def train(self, model: FirstSpikes, x: Float[Array, " inputs"]) -> bpc.SpikeTrain:
        """The same spikes one by one: for exact solvers."""
        level = self.of(x)
        times = jnp.where(level == NEVER, jnp.inf, (level + 1) * model.dt)
        return bpc.SpikeTrain(times, jnp.arange(len(x)), channels=len(x))


class Points(NamedTuple):
    """Coordinates in 0..1, each as a spike at `span` times it, exact within a step."""

    span: float = 8.0

    def weighted(self, model: FirstSpikes, x: Float[Array, " inputs"]) -> bpc.SpikeTrain:
        """The spikes of one point."""
        return bpc.SpikeTrain(self.span * x, jnp.arange(len(x)), channels=len(x), per_step=len(x))

    train = weighted


Code = Levels | Points
Batched = Callable[[FirstSpikes, Array], Answer]


def answers(code: Code) -> Batched:
    """A function of a network and a batch of inputs [batch, inputs]."""

    def of(model: FirstSpikes, x: Array) -> Answer:
        return jax.vmap(lambda x: model(code.weighted(model, x)))(x)

    return of


def exact_answers(code: Code) -> Batched:
    """As `answers`, event by event on the true flow, one input after another."""

    def of(model: FirstSpikes, x: Array) -> Answer:
        # Most of a network may spike in one step.
        room = model.bias.shape[0] + x.shape[1]
        ordered = bpc.OrderedSpikes(dfx.Tsit5(), per_step=room)
        return jax.lax.map(lambda x: model(code.train(model, x), ordered), x)

    return of


def solve_exactly(code: Code, model: FirstSpikes, x: np.ndarray) -> Answer:
    """Answers on the true flow to rows of x."""
    return jax.device_get(eqx.filter_jit(exact_answers(code))(model, jnp.asarray(x)))
