"""The certificate of a whole learning step: what real networks pass and fail by name, and that no
hidden read of a small step escapes it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.energies import DenseMap
from bpcjax.learning import Elsewhere, Neurons, Shared, Weights, Wiring, certify_step, hebbian
from bpcjax.models import (
    Backpropagation,
    NudgedPhases,
    RatePhases,
    feedback_stiffness,
    unit_stiffness,
)
from experiments.common.locality import certify
from experiments.common.predictive import Training

ONE, THREE, BACK = Training(), Training(hidden=(9, 9, 9)), Training(feedback=True)
RANDOM = Training(feedback=True, fixed_feedback=True)
OWN, RATES = (phases(stiffness=feedback_stiffness) for phases in (NudgedPhases, RatePhases))
WHOLE = NudgedPhases(stiffness=unit_stiffness)
TRANSPORT = ("classes -> hidden 1", "the weights of W2 are read against their direction")
STIFF = ("W2 -> hidden 1", "neurons before W2 read its weights")
# Rule and network -> edges of violations and reasons, by what the rules do with the arrays: all but
# learned feedback send errors through W2 itself; stiffness is a sum of squares of W2's columns.
TABLE = {
    "nudged": (ONE, NudgedPhases(), {TRANSPORT, STIFF}),
    "nudged, its own stiffness": (ONE, OWN, {TRANSPORT}),  # "feedback" is W2 here, read twice
    "nudged, learned feedback": (BACK, NudgedPhases(), {STIFF}),
    "nudged, learned feedback and stiffness": (BACK, OWN, set()),
    "nudged, learned feedback, errors whole": (BACK, WHOLE, set()),
    "nudged, random feedback": (RANDOM, NudgedPhases(), {STIFF}),
    "nudged, random feedback, errors whole": (RANDOM, WHOLE, set()),
    "straight through": (ONE, Backpropagation(jnp.asarray(0.5)), {TRANSPORT}),
    "rates": (ONE, RatePhases(), {TRANSPORT, STIFF}),
    "rates, learned feedback and stiffness": (BACK, RATES, set()),
    "backpropagation": (ONE, Backpropagation(), {TRANSPORT}),
    "backpropagation beside learned feedback": (BACK, Backpropagation(), {TRANSPORT}),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
def test_table_of_verdicts(name):
    settings, phases, expected = TABLE[name]
    report = certify(settings, phases)
    if name == "nudged, its own stiffness":
        expected = expected | {STIFF}
    assert {(v.edge, v.reason) for v in report.violations} == expected
    assert report.ok == (not expected)
    # The change of the last weights needs nothing from above, but for the stiffness.
    moved = {result for v in report.violations for result in v.results}
    assert "W1" in moved or report.ok
    # Forward passes go up; the only sums that neurons hear are those of the softmax.
    sent = {(m.arrow, m.pre, m.post) for m in report.messages}
    up = {("W1", "pixels", "hidden 1"), ("W2", "hidden 1", "classes")}
    down = {("B2", "classes", "hidden 1")} if settings.feedback else set()
    assert sent == up | (set() if isinstance(phases, Backpropagation) else down)
    made = {b.source: b for b in report.broadcasts}
    assert made["classes"].heard == ("classes",)
    assert made["classes"].how == ("reduce_max", "reduce_sum")
    # One random sign for all, and offsets of rounding: backpropagation draws nothing.
    assert ("keys" in made) == (not isinstance(phases, Backpropagation))


@pytest.mark.slow
def test_deep_networks_name_every_edge():
    backward = {f"hidden {k + 1} -> hidden {k}" for k in (1, 2)} | {"classes -> hidden 3"}
    report = certify(THREE, Backpropagation())
    assert {v.edge for v in report.violations} == backward
    by_edge = {v.edge: set(v.results) for v in report.violations}
    # The chain of errors: W3 needs those of the classes, W1 all of them.
    assert "W3" in by_edge["classes -> hidden 3"] and "W4" not in by_edge["classes -> hidden 3"]
    assert all("W1" in results for results in by_edge.values())
    assert certify(Training(hidden=(9, 9, 9), feedback=True), OWN).ok


@pytest.mark.slow
def test_convolutions_are_refused_by_name():
    report = certify(Training(maps=(8,), hidden=()), NudgedPhases())
    assert not report.ok
    assert any("conv_general_dilated" in v.reason for v in report.violations)
    assert any("kernel" in v.edge for v in report.violations)


S = N = 3  # samples, and neurons of every layer: as many, so that wrong axes fit
WIRING = Wiring({"W1": ("x", "h"), "W2": ("h", "y"), "B2": ("y", "h")})
OWNERS = (Weights("W1"), Weights("W2"), Weights("B2", post=-1, pre=-2), Neurons("x"), Neurons("y"))
CHANGES = OWNERS[:3]
CAPTURED = jnp.asarray(np.random.default_rng(1).normal(size=(N, N)))


def example():
    rng = np.random.default_rng(0)
    shapes = [(N, N)] * 3 + [(S, N)] * 2
    return tuple(jnp.asarray(rng.normal(size=shape)) for shape in shapes)


def step_of(back):
    """A learning step whose hidden errors are `back(e, h, w2, b2)`."""

    def step(w1, w2, b2, x, t):
        h = jax.nn.relu(x @ w1.T)
        e = t - h @ w2.T
        d = back(e, h, w2, b2) * (h > 0)
        return d.T @ x, e.T @ h, e.T @ h - 0.1 * b2

    return step


def verdict(back):
    return certify_step(step_of(back), example(), OWNERS, CHANGES, WIRING)


def test_an_honest_step_passes():
    report = verdict(lambda e, h, w2, b2: e @ b2)
    assert report.ok and not report.broadcasts, str(report)
    assert {(m.arrow, m.count) for m in report.messages} == {("W1", 1), ("W2", 1), ("B2", 1)}
    # The same sums in other words: products place by place, a loop over samples, a branch.
    assert verdict(lambda e, h, w2, b2: (e[:, :, None] * b2[None]).sum(axis=1)).ok
    assert verdict(lambda e, h, w2, b2: jax.lax.map(lambda e: b2.T @ e, e)).ok
    assert verdict(
        lambda e, h, w2, b2: jax.vmap(lambda e, h: jax.vjp(lambda z: b2 @ z, h)[1](e)[0])(e, h)
    ).ok  # noqa: E501
    assert verdict(lambda e, h, w2, b2: jax.lax.fori_loop(0, 3, lambda _, d: d + e @ b2, 0 * h)).ok
    assert verdict(lambda e, h, w2, b2: (e @ b2).reshape(-1).reshape(h.shape)).ok
    assert verdict(lambda e, h, w2, b2: jnp.cumsum(e @ b2, axis=0)).ok  # over its own samples
    # A dendrite may sum its synapses' weights, and a synapse may scale itself by that.
    assert verdict(lambda e, h, w2, b2: e @ b2 / jnp.abs(b2).sum(axis=0, keepdims=True)).ok


@jax.custom_jvp
def straight(h, e, w2):
    return h


@straight.defjvp
def _straight(primals, tangents):
    h, e, w2 = primals
    return h, tangents[0] * (e @ w2)


def by_custom_jvp(e, h, w2, b2):
    return jax.grad(lambda h: straight(h, e, w2).sum())(h)


def by_scan(e, h, w2, b2):
    def body(carry, e):
        return carry + e @ w2, carry

    return jax.lax.scan(body, jnp.zeros(N), e)[1]


def by_scan_over_neurons(e, h, w2, b2):
    return jax.lax.scan(lambda c, e: (c + e, c), jnp.zeros(S), e.T)[1].T


def by_collecting_numbers(e, h, w2, b2):
    """All of e, as single numbers, one after another."""
    masks = [jnp.arange(N) == k for k in range(N)]
    return e @ b2 + jnp.stack([(e * m[None]).sum(axis=1) for m in masks], axis=1)


def by_updates(e, h, w2, b2):
    def body(k, d):
        return d.at[:, k].set(jnp.where((jnp.arange(N) == k)[None], e, 0.0).sum(axis=1))

    return e @ b2 + jax.lax.fori_loop(0, N, body, jnp.zeros((S, N)))


def by_masks(e, h, w2, b2):
    """Each synapse of a neuron gets what another one sent it, by a matrix of constants."""
    places = jnp.arange(N * N).reshape(N, 1, N) % 4 == 0
    apart = e[:, :, None, None] * b2[None, :, :, None] * places[None]
    return (apart.sum(axis=1) * b2.T[None]).sum(axis=2)


def by_a_stack(e, h, w2, b2):
    """Each synapse of a neuron gets what another one sent it."""
    masks = [(jnp.arange(N) == k)[:, None] for k in (1, 2, 0)]
    sums = jnp.stack([e @ (b2 * m) for m in masks], axis=2)  # [S, h, y]
    return (sums * b2.T[None]).sum(axis=2)


def by_a_choice(e, h, w2, b2):
    return jax.lax.cond(e.sum() > 0, lambda: e @ b2, lambda: -(e @ b2))


def by_a_callback(e, h, w2, b2):
    shape = jax.ShapeDtypeStruct(h.shape, h.dtype)
    return jax.pure_callback(lambda e, w: np.asarray(e) @ np.asarray(w), shape, e, w2)


# What hides a read -> the edge and a word of the reason that the certificate must give for it.
HIDDEN = {
    "transposed weights": (lambda e, h, w2, b2: e @ w2, "y -> h", "against"),
    "a stopped gradient": (
        lambda e, h, w2, b2: e @ jax.lax.stop_gradient(w2), "y -> h", "against"),
    "a transpose and where": (
        lambda e, h, w2, b2: e @ jnp.where(jnp.eye(N) > 0, w2.T, w2.T).T, "y -> h", "against"),
    "a product place by place": (
        lambda e, h, w2, b2: (e[:, :, None] * w2[None]).sum(axis=1), "y -> h", "against"),
    "signs of weights": (lambda e, h, w2, b2: e @ jnp.sign(w2), "y -> h", "against"),
    "both, mixed": (lambda e, h, w2, b2: e @ (w2 * b2), "y -> h", "against"),
    "squares of outgoing weights": (
        lambda e, h, w2, b2: e @ b2 / (1 + (w2**2).sum(axis=0, keepdims=True)), "W2 -> h",
        "read its weights"),
    "feedback read as weights": (lambda e, h, w2, b2: e @ b2.T, "B2", "other synapses"),
    "a sum over all weights": (lambda e, h, w2, b2: e @ b2 * (w2.sum() > 0), "y", "heard"),
    "errors taken one by one": (lambda e, h, w2, b2: e, "y - h", "one by one"),
    "a cumsum": (lambda e, h, w2, b2: jnp.cumsum(e @ b2, axis=1), "h", "cumsum"),
    "a sort": (lambda e, h, w2, b2: jnp.sort(e @ b2, axis=1), "h", "sort"),
    "a reversal": (lambda e, h, w2, b2: (e @ b2)[:, ::-1], "h", "rev"),
    "a neighbour": (lambda e, h, w2, b2: jnp.roll(e @ b2, 1, axis=1), "h", "slice"),
    "a gather": (lambda e, h, w2, b2: (e @ b2)[:, jnp.array([1, 2, 0])], "h", "gather"),
    "one neuron told to all": (
        lambda e, h, w2, b2: e @ b2 + jax.lax.dynamic_slice(h, (0, 0), (S, 1)), "h",
        "dynamic_slice"),
    "a mean": (lambda e, h, w2, b2: e @ b2 - h.mean(axis=1, keepdims=True), "h -> h", "heard"),
    "a winner": (
        lambda e, h, w2, b2: e @ b2 * jax.nn.one_hot(h.argmax(axis=1), N), "h -> h", "argmax"),
    "a matrix of constants": (
        lambda e, h, w2, b2: e @ jnp.cos(jnp.arange(9.0)).reshape(N, N), "y -> constants",
        "constants"),
    "synapses told apart by constants": (by_masks, "B2 -> constants", "constants"),
    "a stack of sums": (by_a_stack, "B2", "dealt out"),
    "a captured array": (lambda e, h, w2, b2: e @ CAPTURED, "an array", "closed over"),
    "a captured array, place by place": (
        lambda e, h, w2, b2: e @ (b2 + CAPTURED), "an array", "closed over"),
    "a carry": (by_scan, "y -> h", "against"),
    "a scan over neurons": (by_scan_over_neurons, "y", "scan"),
    "a custom derivative": (by_custom_jvp, "y -> h", "against"),
    "a choice": (by_a_choice, "y -> h", "heard"),
    "a callback": (by_a_callback, "W2, h, y", "pure_callback"),
    "samples for neurons": (lambda e, h, w2, b2: (e @ b2).T, "h", "dealt out"),
    "a factorisation": (
        lambda e, h, w2, b2: jnp.linalg.cholesky(jnp.eye(N) + b2 @ b2.T) * e, "B2", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_a_hidden_read_is_found(name):
    back, edge, reason = HIDDEN[name]
    report = verdict(back)
    assert not report.ok
    assert any(edge in v.edge and reason in v.reason and "W1" in v.results
               for v in report.violations), str(report)  # fmt: skip
    # It is the hidden layer's error that is wrong: the change of W2 is what it was.
    assert not any("W2" in v.results for v in report.violations)


@pytest.mark.parametrize("back", [by_collecting_numbers, by_updates])
def test_allowed_broadcasts_carry_single_numbers_only(back):
    # Where sums of y may be heard by h, all of e by way of N sums is still no broadcast.
    wiring = Wiring(WIRING.arrows, broadcasts=(("y", "h"), ("h", "h")))
    report = certify_step(step_of(back), example(), OWNERS, CHANGES, wiring)
    assert not report.ok and any("dealt out" in v.reason for v in report.violations), str(report)
    allowed = step_of(lambda e, h, w2, b2: e @ b2 * e.sum(axis=1, keepdims=True))
    report = certify_step(allowed, example(), OWNERS, CHANGES, wiring)
    assert report.ok and [(b.source, b.heard) for b in report.broadcasts] == [("y", ("h",))]


def test_changes_read_their_own_weights_only():
    def change(w1, w2, b2, x, t):
        e = t - jax.nn.relu(x @ w1.T) @ w2.T
        return -0.1 * w1, -0.1 * w2, e.T @ (e @ b2) - 0.1 * w2

    report = certify_step(change, example(), OWNERS, CHANGES, WIRING)
    assert [(v.edge, v.reason, v.results) for v in report.violations] == [
        ("W2", "weights are read by another synapse or neuron", ("B2",))
    ]

    # Among themselves: the synapse from j to i must not read that from i to j.
    def recurrent(w, x):
        return x.T @ x - 0.1 * w.T

    loop, owners = Wiring({"W": ("x", "x")}), (Weights("W"), Neurons("x"))
    args = example()[0], example()[3]
    assert not certify_step(recurrent, args, owners, Weights("W"), loop).ok
    good = certify_step(lambda w, x: (x @ w.T).T @ x - w, args, owners, Weights("W"), loop)
    assert good.ok and good.messages[0].arrow == "W"
    assert not certify_step(lambda w, x: (x @ w).T @ x, args, owners, Weights("W"), loop).ok


def test_hebbian_products_of_clamped_layers_pass():
    def step(w1, w2, b2, x, t):
        change = hebbian(DenseMap(w2), x, t).weights
        return 0 * w1, change, 0 * b2

    wiring = Wiring({"W1": ("x", "h"), "W2": ("x", "y"), "B2": ("y", "x")})
    report = certify_step(step, example(), OWNERS, CHANGES, wiring)
    assert report.ok and not report.messages and not report.broadcasts, str(report)


def test_shared_and_foreign_arguments():
    def step(w, x, y, reward, other):
        return reward * y.T @ x + 0.0 * w, other * x

    args = (*example()[:1], *example()[3:], jnp.asarray(0.3), jnp.ones((S, 1)))
    owners = Weights("W1"), Neurons("x"), Neurons("h"), Shared(), Elsewhere()
    outputs = Weights("W1"), Neurons("x")
    report = certify_step(step, args, owners, outputs, Wiring({"W1": ("x", "h")}))
    (heard,) = report.broadcasts
    assert heard.source == "reward" and heard.heard == ("h",)  # of y.T, times reward
    assert [(v.edge, v.results) for v in report.violations] == [("other", ("x",))]
    ignored = certify_step(
        step, args, owners, (outputs[0], Elsewhere()), Wiring({"W1": ("x", "h")})
    )
    assert ignored.ok


def test_owners_must_fit():
    args, step = example(), step_of(lambda e, h, w2, b2: e @ b2)
    with pytest.raises(ValueError, match="no such arrow"):
        certify_step(step, args, (Weights("W3"), *OWNERS[1:]), CHANGES, WIRING)
    with pytest.raises(ValueError, match="no arrow touches it"):
        certify_step(step, args, (*OWNERS[:4], Neurons("z")), CHANGES, WIRING)
    with pytest.raises(ValueError, match="no arrow touches"):
        Wiring(WIRING.arrows, broadcasts=(("y", "z"),))
    with pytest.raises(ValueError, match="names an axis"):
        certify_step(step, args, (*OWNERS[:4], Neurons("y", axis=2)), CHANGES, WIRING)
    two = jnp.ones((S, 2)), jnp.ones((S, N))
    with pytest.raises(ValueError, match="x has 3 neurons along axis 1.*elsewhere: 2"):
        certify_step(lambda a, b: a, two, (Neurons("x"),) * 2, Neurons("x"), WIRING)
    with pytest.raises(ValueError, match="two at least"):
        certify_step(lambda a: a, (jnp.ones((S, 1)),), (Neurons("x"),), Neurons("x"), WIRING)
    with pytest.raises(ValueError, match="owners must be a prefix"):
        certify_step(step, args, OWNERS[:2], CHANGES, WIRING)
