"""The certificate of a step against the step itself: what it calls local is, in numbers.

One round of a step is what it does between messages: its program run with the sums that synapses
send, and those that are broadcast, held at given numbers. There a synapse must answer to nothing
but its own two neurons and its own numbers.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend import core

from bpcjax.learning import Neurons, Weights, Wiring, certify_step
from bpcjax.learning.locality.events import Heard, Message
from bpcjax.learning.locality.step import walked
from bpcjax.models import Backpropagation, NudgedPhases, RatePhases, feedback_stiffness
from experiments.common.locality import small_step
from experiments.common.predictive import Training

CALLS = ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call")


def run(closed, args, sites, held=None):
    """The outputs of a program, and the numbers at `sites`, which may be held."""
    seen = {}

    def inner(jaxpr, consts, args, around):
        env = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))

        def read(atom):
            return atom.val if isinstance(atom, core.Literal) else env[atom]

        for number, eqn in enumerate(jaxpr.eqns):
            site, values = (*around, number), [read(a) for a in eqn.invars]
            if eqn.primitive.name in CALLS:
                body = next(eqn.params[k] for k in ("jaxpr", "call_jaxpr") if k in eqn.params)
                out = inner(body.jaxpr, body.consts, values, site)
            else:
                out = eqn.primitive.bind(*values, **eqn.params)
                out = out if eqn.primitive.multiple_results else [out]
            if site in sites:
                if held is not None:  # what is not a number is not held
                    out = [jnp.where(jnp.isnan(held[site]), out[0], held[site])]
                seen[site] = out[0]
            env.update(zip(eqn.outvars, out, strict=True))
        return [read(a) for a in jaxpr.outvars]

    return inner(closed.jaxpr, closed.consts, args, ()), seen


class Round:
    """One round of a small network: `answers(change)` says by owner which outputs change."""

    def __init__(self, settings, phases):
        self.step = small_step(settings, phases)
        self.program = walked(*self.step)
        events = set().union(*self.program.events.values())
        self.sites = {e.site for e in events if isinstance(e, Message) and e.along}
        self.sites |= {e.public.site for e in events if isinstance(e, Heard) and e.public.site}
        self.owners = jax.tree.leaves(self.step.owners)
        self.names = jax.tree.leaves(self.step.outputs)
        rng = np.random.default_rng(0)
        self.args = [
            jnp.asarray(rng.normal(size=x.shape), x.dtype)
            if jnp.issubdtype(x.dtype, jnp.floating)
            else x
            for x in self.program.arrays
        ]
        self.go = jax.jit(lambda args, held: run(self.program.jaxpr, args, self.sites, held))
        _, free = jax.eval_shape(lambda args: run(self.program.jaxpr, args, self.sites), self.args)
        free = jax.tree.map(lambda x: jnp.full(x.shape, jnp.nan, x.dtype), free)
        self.base, self.held = self.go(self.args, free)

    def answers(self, args, held):
        """Owner and places [n, axes] of the outputs that differ."""
        result, _ = self.go(args, held)
        for owner, a, b in zip(self.names, self.base, result, strict=True):
            places = np.argwhere(np.asarray(a) != np.asarray(b))
            if len(places):
                yield owner, places

    def argument(self, owner, place):
        """Arguments with one number of an owner changed."""
        args = list(self.args)
        every = [k for k, o in enumerate(self.owners) if o == owner]
        k = every[-1 if isinstance(owner, Neurons) else 0]  # biases come before inputs
        args[k] = args[k].at[place].add(0.37)
        return args


def foreign(owner, places, populations, arrows):
    """Places of an output, of an owner, that touch none of the neurons `populations` (name ->
    number)."""
    if isinstance(owner, Neurons):
        mine = [(owner.population, places[:, owner.axis])]
    else:
        pre, post = arrows[owner.arrow]
        mine = [(pre, places[:, owner.pre]), (post, places[:, owner.post])]
    touched = np.zeros(len(places), bool)
    for name, numbers in mine:
        touched |= populations.get(name, -1) == numbers
    return places[~touched]


TWO = Training(hidden=(9, 9), feedback=True)
ONWARD = {
    "nudged": NudgedPhases(steps=1, stiffness=feedback_stiffness),
    "rates": RatePhases(stiffness=feedback_stiffness),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ONWARD)
def test_between_messages_a_certified_step_is_local(name):
    this = Round(TWO, ONWARD[name])
    arrows = this.step.wiring.arrows
    sizes = {"pixels": 8, "hidden 1": 5, "hidden 2": 4, "classes": 3}
    # A weight changes nothing but what its own synapse keeps.
    for owner in (Weights("W1"), Weights("W2"), Weights("W3"), Weights("B3", post=-1, pre=-2)):
        answers = list(this.answers(this.argument(owner, (1, 2)), this.held))
        assert answers and all(o == owner and (p == (1, 2)).all() for o, p in answers)
    # A neuron's number changes only the synapses that it has.
    for layer in ("pixels", "classes"):
        moved = list(this.answers(this.argument(Neurons(layer), (0, 1)), this.held))
        assert moved
        assert not any(len(foreign(o, p, {layer: 1}, arrows)) for o, p in moved)
    # Neither does a message that comes to one neuron.
    heard = 0
    for site, value in this.held.items():
        layer = next((p for p, n in sizes.items() if n in value.shape), None)
        if value.ndim == 2 and layer is not None:  # [n, samples] or [samples, n]
            place = (2, 0) if value.shape[0] == sizes[layer] else (0, 2)
            held = this.held | {site: value.at[place].add(1.37)}
            moved = list(this.answers(this.args, held))
            heard += len(moved)
            assert not any(len(foreign(o, p, {layer: 2}, arrows)) for o, p in moved), site
    assert heard > 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "phases, feedback",
    [(RatePhases(), False), (NudgedPhases(steps=1), True), (Backpropagation(), True)],
    ids=["transposed weights", "stiffness", "backpropagation"],
)
def test_what_it_refuses_reads_weights_of_others(phases, feedback):
    this = Round(Training(feedback=feedback), phases)
    owner = Weights("W2")
    moved = list(this.answers(this.argument(owner, (1, 2)), this.held))
    # Within one round, by no message along an arrow, others than the synapse itself.
    assert any(o != owner or (p != (1, 2)).any() for o, p in moved)
    if not isinstance(phases, NudgedPhases):
        assert Weights("W1") in {o for o, _ in moved}


WIRING = Wiring({"W": ("x", "y")})
N = 3


def programs(rng):
    """A random program over neurons x, y and weights W, of three each, and three samples."""
    two = [
        lambda a, b: a + b,
        lambda a, b: a * jnp.tanh(b),
        lambda a, b: a.T @ b,
        lambda a, b: jnp.where(a > 0, a, b),
        lambda a, b: jax.lax.scan(lambda c, s: (c + s, c * s), a[0], b)[1],
        lambda a, b: a * b[:1],
    ]
    one = [
        jnp.square,
        lambda a: a.T,
        lambda a: jnp.cumsum(a, axis=0),
        lambda a: jnp.sort(a, axis=0),
        lambda a: a - a.mean(axis=0, keepdims=True),
        lambda a: a[::-1],
        lambda a: jnp.concatenate([a[1:], a[:1]]),
        lambda a: a.reshape(-1).reshape(N, N),
        lambda a: jax.lax.cond(True, lambda a: a, lambda a: 2 * a, a),
    ]
    plan = [
        (two[rng.integers(len(two))], rng.integers(0, 4 + k, 2))
        if rng.random() < 0.6
        else (one[rng.integers(len(one))], rng.integers(0, 4 + k, 1))
        for k in range(3)
    ]

    def program(w, x, y):
        values = [w, y.T @ x, x, y]
        for operation, which in plan:
            values.append(operation(*(values[k] for k in which)))
        return values[-1]

    return program


@pytest.mark.slow
def test_random_programs_that_pass_have_local_derivatives():
    # An independent route: the Jacobian of the change of weights.
    args = tuple(jnp.asarray(a) for a in np.random.default_rng(5).normal(size=(3, N, N)))
    owners, passed = (Weights("W"), Neurons("x"), Neurons("y")), 0
    for seed in range(200):
        program = programs(np.random.default_rng(seed))
        report = certify_step(program, args, owners, Weights("W"), WIRING)
        if not report.ok or report.messages:
            continue
        passed += 1
        of_w, of_x, of_y = (np.asarray(j) for j in jax.jacrev(program, argnums=(0, 1, 2))(*args))
        same = np.eye(N, dtype=bool)
        own = same[:, None, :, None] & same[None, :, None, :]
        assert not (of_w != 0)[~own].any(), seed
        assert not (np.abs(of_x).sum(axis=2) > 0)[~np.broadcast_to(same, (N, N, N))].any(), seed
        assert not (np.abs(of_y).sum(axis=2) > 0)[~np.broadcast_to(same[:, None], (N, N, N))].any()
    assert passed >= 10
