"""Place cells reach action neurons by synapses that learn from the timing of spikes and a reward.

In each decision the place cells around the agent fire regularly for a while. Four action neurons,
each with noise of its own, inhibit one another, and whichever fires most acts. Critic neurons tell
by their rate what the place is worth, and one number, the error of the prediction of reward, goes
to all synapses (Frémaux, Sprekeler & Gerstner 2013, PLoS Comput. Biol. 9:e1003024).

Local: every change of a weight (`RewardSTDP`: the two neurons' spikes, the synapse's own trace).
Not local: the error, a number common to all, and the readout that makes it of rates. Episodes that
end clear all traces.
"""

import dataclasses
from typing import Any, NamedTuple

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

import bpcjax as bpc
from bpcjax.inputs import Bins
from bpcjax.learning import Hard, Moment, RewardSTDP, TraceSTDP, Window
from bpcjax.models import DeltaCode

from ..common.classifiers import leaky
from ..common.precision import single

ACTIONS = 4


@dataclasses.dataclass(frozen=True)
class AgentConfig:
    """Hyper-parameters of an agent and of its learning."""

    duration: int = 30
    """Of a decision, in ms."""
    field: float = 0.5
    """Width of a place field, in cells."""
    critics: int = 16
    noise: float = 0.2
    """Spikes that reach an action neuron from elsewhere, per ms."""
    kick: float = 0.15
    """Of each such spike, in thresholds."""
    tau: float = 20.0
    """Of the traces of changes, in ms."""
    actor_rate: float = 0.5
    critic_rate: float = 0.3
    high: float = 0.35
    """The largest weight of an action neuron; the least is 0."""
    gamma: float = 0.9
    gain: float = 3.0
    """Spikes of a critic neuron in a decision beyond those without input, for a value of 1."""


class Weights(NamedTuple):
    """From place cells to action neurons, and to critic neurons: [post, pre]."""

    actor: Float[Array, "actions places"]
    critic: Float[Array, "critics places"]


class Agent(NamedTuple):
    """State of an agent: weights, the traces of their synapses, and the value at the last
    decision."""

    weights: Weights
    traces: Weights | Any
    value: Float[Array, ""]


class Decision(NamedTuple):
    """A decision: the action, the value, the spikes of place cells [bins, places] and of action and
    critic neurons [bins, neurons]."""

    action: Array
    value: Array
    places: Array
    fired: Array


def rules(config: AgentConfig) -> Weights | Any:
    """The rule of each population's synapses: pairs of a spike before one after, and a reward."""
    pairs = TraceSTDP(Window(a_plus=0.01, a_minus=0.0, tau_plus=10.0))
    low, high = -0.3, 0.6
    return single(
        Weights(
            RewardSTDP(pairs, config.tau, config.actor_rate, Hard(0.0, config.high)),
            RewardSTDP(pairs, config.tau, config.critic_rate, Hard(low, high)),
        )
    )


def fields(letters: np.ndarray, width: float) -> np.ndarray:
    """How strongly each place cell [cells, places] responds in each cell of the grid."""
    rows, columns = np.indices(letters.shape).reshape(2, -1)
    apart = (rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2
    return np.exp(-apart / (2 * width**2)).astype(np.float32)


def init_agent(places: int, config: AgentConfig) -> Agent:
    """An agent without a preference, who expects nothing."""
    weights = Weights(
        jnp.full((ACTIONS, places), config.high / 2, jnp.float32),
        jnp.zeros((config.critics, places), jnp.float32),
    )
    return Agent(weights, init_traces(weights, config), jnp.zeros((), jnp.float32))


def init_traces(weights: Weights, config: AgentConfig) -> PyTree:
    """Traces of synapses that have seen nothing."""
    return single(Weights(*(r.init(w) for r, w in zip(rules(config), weights, strict=True))))


def decide(
    weights: Weights, place: Float[Array, " places"], config: AgentConfig, key: Any
) -> Decision:
    """The spikes of a decision at a place, by the engine's solve; without a key, without noise."""
    steps, dt = config.duration, jnp.asarray(1.0, place.dtype)
    places = DeltaCode(2.0).bins(place, steps, dt, None)
    both = jnp.concatenate(weights).T
    arrivals, ties = places @ both, jnp.zeros(ACTIONS)
    if key is not None:
        draw, settle = jax.random.split(key)
        noise = jax.random.bernoulli(draw, config.noise, (steps, ACTIONS))
        arrivals = arrivals.at[:, :ACTIONS].add(config.kick * noise)
        ties = jax.random.uniform(settle, (ACTIONS,))
    # Action neurons inhibit one another; critics, driven unlike one another and begun at different
    # phases, fire on their own, so that they can say less than nothing too.
    count = ACTIONS + config.critics
    actor, phase = jnp.arange(count) < ACTIONS, jnp.linspace(0.0, 1.0, config.critics)
    rivals = jnp.where(actor[:, None] & actor[None], jnp.eye(count) - 1.0, 0.0)
    bias = jnp.concatenate([jnp.zeros(ACTIONS), 1.5 + phase])
    layer = bpc.Layer(both, leaky(20.0), count, recurrent=rivals, bias=bias)
    layers = single(bpc.Layers((layer,), Bins(arrivals, dt)))
    start = layers.rest()
    v = jnp.concatenate([jnp.zeros(ACTIONS), (7 * phase) % 1.0])
    start = start._replace(neurons=(start.neurons[0]._replace(v=v),))
    solution = bpc.simulate(
        layers, single(start), t1=steps * dt, dt=dt, solver=single(bpc.GridSpikes()),
        saveat=dfx.SaveAt(steps=True, fn=lambda t, y, args: y.counts[0]), max_steps=steps,
        throw=False,
    )  # fmt: skip
    assert solution.ys is not None
    counts = jnp.where(solution.ok, solution.ys[:steps], jnp.nan)
    fired = jnp.diff(counts, axis=0, prepend=jnp.zeros((1, count), counts.dtype))
    action = (counts[-1, :ACTIONS] + 0.5 * ties).argmax()
    return Decision(action, counts[-1, ACTIONS:].mean(), places, fired.astype(place.dtype))


def baseline(config: AgentConfig) -> float:
    """The spikes of a critic neuron that nothing reaches, in a decision."""
    weights = init_agent(1, config).weights
    return float(decide(weights, jnp.zeros(1, jnp.float32), config, None).value)


def apply_reward(rule: Any, traces: Any, weights: Array, error: Array) -> Array:
    """The weights after the error of a prediction, which takes no time and has no spikes."""
    nobody = Moment(
        jnp.zeros_like(error), jnp.zeros_like(weights[0]), jnp.zeros_like(weights[:, 0]), error
    )
    return weights + rule.update(nobody, traces, weights)[0]


def update_traces(rule: Any, traces: Any, weights: Array, pre: Array, post: Array) -> Any:
    """The traces after the spikes of a decision [bins, neurons], without a reward."""

    def step(traces, now):
        moment = Moment(jnp.ones((), weights.dtype), *now, jnp.zeros((), weights.dtype))
        return rule.update(moment, traces, weights)[1], None

    return jax.lax.scan(step, traces, (pre, post))[0]


def act(agent: Agent, place, reward, ended, first, config: AgentConfig, base: float, key: Any):
    """A decision at a place: the agent, which has learned from the `reward` for the action before;
    the decision; and the prediction error, what the critics say now and did not then.

    `ended`: nothing follows, so that the place is worth 0. `first`: an episode begins, and there
    was no action before it.
    """
    decision = decide(agent.weights, place, config, key)
    value = (decision.value - base) / config.gain
    follow = jnp.where(ended, 0.0, config.gamma * value)
    error = jnp.where(first, 0.0, reward + follow - agent.value)
    both, clean = rules(config), init_traces(agent.weights, config)
    traces = jax.tree.map(lambda new, old: jnp.where(first, new, old), clean, agent.traces)
    weights = Weights(*map(apply_reward, both, traces, agent.weights, (error, error)))
    posts = decision.fired[:, :ACTIONS], decision.fired[:, ACTIONS:]
    traces = Weights(*map(update_traces, both, traces, weights, (decision.places,) * 2, posts))
    return Agent(weights, traces, value), decision, error


@eqx.filter_jit
def policy(weights: Weights, places: Array, config: AgentConfig, base: float):
    """The action in each cell without noise, its value by the critics, and the spikes."""
    decisions = jax.vmap(lambda place: decide(weights, place, config, None))(places)
    sent = jnp.stack([decisions.places.sum((1, 2)), decisions.fired.sum((1, 2))])
    return decisions.action, (decisions.value - base) / config.gain, sent
