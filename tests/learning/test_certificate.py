"""The proof of locality: what it passes, what it finds, and that it never passes too much."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings, strategies as st

from bpcjax import learning
from bpcjax.learning import Elsewhere, Mixture, Observation, Post, Pre, Shared, Synapse, certificate

N_POST, N_PRE, BATCH = 3, 4, 2


def example(seed=0):
    rng = np.random.default_rng(seed)
    pre, post = rng.normal(size=(BATCH, N_PRE)), rng.normal(size=(BATCH, N_POST))
    return jnp.asarray(pre), jnp.asarray(post), jnp.asarray(rng.normal(size=(N_POST, N_PRE)))


def two_layers(x, first, second, label):
    """What back-propagation does to the first of two layers."""

    def loss(first):
        hidden = jax.nn.relu(x @ first.T)
        return -(label * jax.nn.log_softmax(hidden @ second.T)).sum()

    return -jax.grad(loss)(first)


@pytest.mark.slow
def test_local_jaxpr():
    def hebb(pre, post, weights, rate):
        return rate * (post.T @ pre - weights)

    owners = (Pre(), Post(), Synapse(), Shared())
    good = certificate(hebb, (*example(), 0.1), owners)
    assert good.local and good.causal and good.shared == ("rate",) and not good.opaque

    rng = np.random.default_rng(1)
    x, _, first = example()
    second, label = jnp.asarray(rng.normal(size=(5, N_POST))), jnp.eye(5)[:BATCH]
    bad = certificate(
        two_layers, (x, first, second, label), (Pre(), Synapse(), Elsewhere(), Elsewhere())
    )
    assert not bad.local and not bad.opaque
    # The synapse (0, 0) needs other synapses, other inputs, other layers and the label.
    result = {(d.input, d.of) for d in bad.nonlocal_ if d.at == (0, 0)}
    assert {("first", (1, 2)), ("second", (3, 1)), ("label", (0, 2)), ("x", (0, 2))} <= result
    # Not a suspicion: a derivative is not zero.
    assert max(abs(d.derivative) for d in bad.nonlocal_ if d.input == "second") > 1e-3
    assert "first[1, 2]" in str(bad) or "more" in str(bad)


def test_what_a_derivative_does_not_see_is_found():
    # No derivative leaves these: a stop, a sign, an integer, a branch.
    owners = (Pre(), Post(), Synapse())

    def normalised(pre, post, weights):
        return post.T @ pre / jax.lax.stop_gradient(jnp.abs(weights).sum(axis=1, keepdims=True))

    def gated(pre, post, weights):
        return post.T @ pre * (weights.sum() > 0)

    def winner(pre, post, weights):
        return jax.nn.one_hot(post.argmax(axis=-1), N_POST).T @ pre

    def branch(pre, post, weights):
        return jax.lax.cond(pre.sum() > 0, lambda: post.T @ pre, lambda: -weights)

    for rule in (normalised, gated, winner, branch):
        report = certificate(rule, example(), owners)
        assert not report.local
        strange = {(d.input, d.of[-1]) for d in report.nonlocal_ if d.at == (0, 0)}
        name = {"winner": "post", "branch": "pre"}.get(rule.__name__, "weights")
        assert (name, 1) in strange, rule.__name__
    assert all(d.derivative == 0 for d in certificate(gated, example(), owners).nonlocal_)


def test_swapped_axes_are_found():
    pre, post, weights = example()
    report = certificate(lambda a, b, w: (a.T @ b).T[::-1], (pre, post, weights),
                        (Pre(), Post(), Synapse()))  # fmt: skip
    assert not report.local
    # Row 1 of three stays in place when rows are turned round.
    assert {d.at[0] for d in report.nonlocal_} == {0, 2}


def test_causal():
    T = 6
    rng = np.random.default_rng(2)
    pre, post = jnp.asarray(rng.normal(size=(T, N_PRE))), jnp.asarray(rng.normal(size=(T, N_POST)))

    def traced(pre, post):
        def step(trace, seen):
            x, y = seen
            trace = 0.9 * trace + x
            return trace, y[:, None] * trace[None]

        return jax.lax.scan(step, jnp.zeros(N_PRE), (pre, post))[1]

    owners = Pre(time=0), Post(time=0)
    outputs = Synapse(time=0)
    good = certificate(traced, (pre, post), owners, outputs)
    assert good.local and good.causal

    def backwards(pre, post):
        return traced(pre[::-1], post[::-1])[::-1]

    def centred(pre, post):
        return traced(pre - pre.mean(axis=0, keepdims=True), post)

    for rule in (backwards, centred):
        bad = certificate(rule, (pre, post), owners, outputs)
        assert bad.local and not bad.causal
        assert all(d.of[0] > d.at[0] for d in bad.noncausal)
        assert any(d.derivative != 0 for d in bad.noncausal)
    # A step that reads one ahead is caught at each time but the last.
    ahead = certificate(
        lambda a, b: traced(jnp.roll(a, -1, axis=0), b), (pre, post), owners, outputs
    )
    assert {d.at[0] for d in ahead.noncausal} == set(range(T - 1))


def test_a_buffer_in_a_loop_is_causal():
    # fori_loop, dynamic slices and updates at known places: nothing is mixed.
    def history(x):
        def step(t, kept):
            return kept.at[t + 1].set(0.5 * kept[t] + jnp.tanh(x[t]))

        return jax.lax.fori_loop(0, len(x), step, jnp.zeros((len(x) + 1, N_PRE)))[:-1]

    x = jnp.ones((5, N_PRE))
    report = certificate(history, (x,), (Pre(time=0),), Pre(time=0))
    assert report.local and report.causal and not report.opaque
    late = certificate(
        lambda x: history(x) + x.max(axis=0, keepdims=True), (x,), (Pre(time=0),), Pre(time=0)
    )
    assert late.local and not late.causal


def test_a_while_loop_that_waits_for_all_is_not_local():
    def settle(pre, weights):
        def going(carry):
            return jnp.abs(carry).max() > 1e-3

        left = jax.lax.while_loop(going, lambda c: 0.5 * c, pre)
        return jnp.ones((N_POST, 1)) * left[None]

    pre, _, weights = example()
    assert not certificate(settle, (pre[0], weights), (Pre(), Synapse())).local


@pytest.mark.parametrize(
    "rule", [learning.spike_em(), learning.averages(0.1), learning.delta_rule()]
)
def test_rules_of_mixtures_are_local(rule):
    def update(y, share, weights, log_prior):
        seen = Observation(y, share)
        return rule.update(seen, optax.EmptyState(), Mixture(weights, log_prior))[0]

    rng = np.random.default_rng(3)
    args = rng.random(N_PRE), rng.random(N_POST), -rng.random((N_POST, N_PRE)), -rng.random(N_POST)
    args = tuple(jnp.asarray(x) for x in args)
    owners = Pre(), Post(), Synapse(), Post()
    outputs = Mixture(Synapse(), Post())  # pyright: ignore
    report = certificate(update, args, owners, outputs)
    assert report.local and not report.opaque, str(report)


def test_the_posterior_itself_is_not_local():
    # A softmax over memories needs all of them: inhibition is a signal between neurons.
    def update(y, weights):
        energy = learning.categorical(Mixture(weights, jnp.zeros(N_POST)))
        return energy.posterior(y)[:, None] * y[None]

    _, _, weights = example()
    assert not certificate(update, (jnp.ones(N_PRE), weights), (Pre(), Synapse())).local


@pytest.mark.slow
@given(st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_no_derivative_escapes_the_sets(seed):
    # Soundness against an independent route: wherever a random program of moves, products, sums,
    # sorts and branches has a derivative, the interpreter has the dependency.
    rng = np.random.default_rng(seed)
    mask = jnp.asarray(rng.random((4, 4)) < 0.4, float)
    steps = [
        lambda x: mask @ x,
        lambda x: x.at[rng_index].add(jnp.tanh(x[::-1])),
        lambda x: jnp.concatenate([x[2:], x[:2] ** 2]),
        lambda x: jnp.where(mask > 0, x, x.T),
        lambda x: jnp.cumsum(x, axis=1) * mask,
        lambda x: jnp.sort(x, axis=0),
        lambda x: jax.lax.cond(x[0, 0] > 0, lambda y: y.T, lambda y: y * 2, x),
        lambda x: jnp.pad(x, ((1, 0), (0, 1)))[:-1, 1:],
        lambda x: jax.lax.scan(lambda c, r: (c + r, c * r), x[0], x)[1],
        lambda x: jax.nn.softmax(x, axis=1),
    ]
    rng_index = jnp.asarray(rng.permutation(4))
    chosen = [steps[k] for k in rng.integers(0, len(steps), 3)]

    def program(x):
        for step in chosen:
            x = step(x)
        return x

    x = jnp.asarray(rng.normal(size=(4, 4)))
    report = certificate(program, (x,), (Elsewhere(),), Post())
    sets = np.zeros((4, 4, 4, 4), bool)
    for d in report.nonlocal_:
        sets[(*d.at, *d.of)] = True
    assert not (np.asarray(jax.jacrev(program)(x)) != 0)[~sets].any()
    assert not report.opaque


def test_an_operation_that_is_not_understood_mixes_everything():
    report = certificate(lambda x: jnp.linalg.cholesky(x @ x.T + 4 * jnp.eye(3)) @ x,
                        (jnp.ones((3, 4)),), (Synapse(),))  # fmt: skip
    assert not report.local and report.opaque == ("cholesky",)


def test_constant_zeros_cut():
    # A mask of connections is structure: what it cuts is not a dependency.
    pre, post, weights = example()
    diagonal = jnp.eye(N_POST)
    report = certificate(lambda a, b, w: (b @ diagonal).T @ a, (pre, post, weights),
                        (Pre(), Post(), Synapse()))  # fmt: skip
    assert report.local
    assert not certificate(lambda a, b, w: (b @ (diagonal + 1)).T @ a, (pre, post, weights),
                           (Pre(), Post(), Synapse())).local  # fmt: skip


def test_owners_must_fit():
    pre, post, weights = example()
    with pytest.raises(ValueError, match="owners must be a prefix"):
        certificate(lambda a, b: b.T @ a, (pre, post), (Pre(),))
    with pytest.raises(ValueError, match="names an axis"):
        certificate(lambda a, b: b.T @ a, (pre, post), (Pre(axis=2), Post()))
    with pytest.raises(ValueError, match="at its leaves"):
        certificate(lambda a, b: b.T @ a, (pre, post), (Pre(), "post"))


@pytest.mark.slow
def test_rules_of_predictive_coding_are_local():
    from bpcjax.energies import DenseMap

    pre, post, weights = example()

    def plain(pre, post, weights):
        return learning.hebbian(DenseMap(weights), pre, post).weights

    def with_momentum(pre, post, weights, trace):
        rule = learning.momentum(optax.constant_schedule(0.1))
        state = jax.tree.map(
            lambda leaf: trace if jnp.shape(leaf) == trace.shape else leaf, rule.init(weights)
        )
        return rule.update(plain(pre, post, weights), state, weights)[0]

    def both_ways(pre, post, weights, back):
        rule = learning.kolen_pollack(learning.momentum(optax.constant_schedule(0.1)))
        pair = weights, back
        return rule.update(plain(pre, post, weights), rule.init(pair), pair)[0]

    owners = (Pre(), Post(), Synapse())
    assert certificate(plain, (pre, post, weights), owners).local
    for rule in with_momentum, both_ways:
        report = certificate(rule, (pre, post, weights, weights + 1), (*owners, Synapse()))
        assert report.local and report.causal, str(report)

    def carried(pre, post, weights, above):  # errors by transposed weights of the layer above
        return learning.hebbian(DenseMap(weights), pre, post @ above).weights

    above = jnp.ones((post.shape[1], 3))
    assert not certificate(carried, (pre, post, weights, above), (*owners, Elsewhere())).local
