"""Recall from a stream: the exact filter without silencing; bounded, cheap and marked with it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.models import sequential_recall, stream_recall, surprise_bound
from theory.closed_forms import place_filter

SIGMA, HAZARD, STAY = 0.8, 0.05, 0.4
LOOPS, LENGTH, SIZE = 6, 5, 24  # recordings that loop, their places, entries


def _places(rng, *, loop=True):
    x = rng.standard_normal((LOOPS * LENGTH, SIZE))
    following = np.arange(LOOPS * LENGTH).reshape(LOOPS, LENGTH) + 1
    following[:, -1] = following[:, 0] - 1 if loop else -1
    prior = np.log(rng.dirichlet(np.full(len(x), 5.0)))
    energy = bpc.energies.ModernHopfield.from_prior(x, SIGMA**-2, prior)
    return energy, x, np.exp(prior), following.ravel()


def _walk(rng, matrix, prior, frames):
    """Places of a stream, drawn from the chain."""
    path = [rng.choice(len(prior), p=prior)]
    for _ in range(frames - 1):
        path.append(rng.choice(len(prior), p=matrix[path[-1]]))
    return np.array(path)


def _stream(seed, frames=60, *, loop=True):
    rng = np.random.default_rng(seed)
    energy, x, prior, following = _places(rng, loop=loop)
    matrix = place_filter.transition(prior, following, stay=STAY, hazard=HAZARD)
    path = _walk(rng, matrix, prior, frames)
    y = x[path] + SIGMA * rng.standard_normal((frames, SIZE))
    return energy, following, path, y, matrix, prior


RULES = dict(sigma=SIGMA, hazard=HAZARD, stay=STAY)


@pytest.mark.parametrize("loop", [True, False])
def test_nobody_silent_and_all_sent_is_the_exact_filter(loop):
    energy, following, _, y, matrix, prior = _stream(0, loop=loop)
    end = stream_recall(energy, y, theta=np.inf, bound=np.inf, successor=following, **RULES)
    gaps = y[:, None] - np.asarray(energy.patterns)[None]
    exact = place_filter.posterior(-0.5 * (gaps**2).sum(-1) / SIGMA**2, prior, matrix)
    np.testing.assert_allclose(end.posterior, exact, atol=1e-10)
    np.testing.assert_array_equal(end.decision, exact.argmax(1))
    assert end.ok.all() and end.restarts[0] and not end.restarts[1:].any()


def test_the_filter_is_the_sum_over_all_paths():
    rng = np.random.default_rng(2)
    prior, log = rng.dirichlet(np.ones(3)), rng.standard_normal((4, 3))
    matrix = place_filter.transition(prior, [1, 2, -1], stay=0.3, hazard=0.2)
    np.testing.assert_allclose(matrix.sum(1), 1)
    expected = np.zeros(3)
    for path in np.ndindex(3, 3, 3, 3):
        weight = prior[path[0]] * np.exp(sum(log[t, s] for t, s in enumerate(path)))
        expected[path[-1]] += weight * np.prod([matrix[path[t], path[t + 1]] for t in range(3)])
    found = place_filter.posterior(log, prior, matrix)[-1]
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-12)
    with pytest.raises(ValueError, match="hazard"):
        place_filter.transition(prior, [1, 2, -1], stay=0.3, hazard=1.2)


def _by_hand(energy, following, y, prior, theta, threshold, bound):
    """The algorithm written out, place by place, from the changes alone: decisions, restarts,
    candidates, and products of weights with entries at frames without a restart."""
    x = np.asarray(energy.patterns)
    jumps, rows = HAZARD * prior, []
    held, evidence, belief = None, {}, {}
    for frame in y:
        products, candidates, restart = 0, [], held is None
        if not restart:
            change = np.where(np.abs(frame - held) > threshold, frame - held, 0)
            held = held + change
            ahead = {}
            for place in {*belief, *(following[p] for p in belief if following[p] >= 0)}:
                into = sum((1 - STAY) * b for p, b in belief.items() if following[p] == place)
                ended = sum((1 - STAY) * b for p, b in belief.items() if following[p] < 0)
                own = STAY * belief.get(place, 0) + into
                ahead[place] = (1 - HAZARD) * (own + ended * prior[place]) + jumps[place]
            best = max(ahead.values())
            candidates = sorted(p for p, a in ahead.items() if np.log(best / a) <= theta)
            for place in candidates:
                if place in evidence:  # it was a candidate: changes only
                    evidence[place] += x[place] @ change / SIGMA**2
                    products += np.count_nonzero(change)
                else:
                    evidence[place] = (x[place] @ held - 0.5 * x[place] @ x[place]) / SIGMA**2
                    products += np.count_nonzero(held)
            evidence = {p: evidence[p] for p in candidates}
            apart = [(held - x[p]) @ (held - x[p]) / SIGMA**2 for p in candidates]
            restart = min(apart) > bound
        if restart:
            held = frame.copy()
            one = sequential_recall(energy, frame[None], theta=theta, sigma=SIGMA)
            candidates = np.flatnonzero(one.alive[0])
            evidence = {p: (x[p] @ held - 0.5 * x[p] @ x[p]) / SIGMA**2 for p in candidates}
            ahead = {p: prior[p] for p in candidates}
        u = np.array([evidence[p] + np.log(ahead[p]) for p in candidates])
        alive = u.max() - u <= theta
        share = np.exp(u - u.max()) * alive
        if restart:
            evidence = {p: evidence[p] for p, a in zip(candidates, alive, strict=True) if a}
        belief = {p: b for p, b in zip(candidates, share / share.sum(), strict=True) if b > 0}
        rows.append((max(belief, key=belief.get), restart, len(candidates), products))
    return [np.array(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("theta, threshold", [(3.0, 0.0), (6.0, 0.7)])
@pytest.mark.parametrize("loop", [True, False])
def test_a_stream_is_the_algorithm_written_out(theta, threshold, loop):
    energy, following, _, y, _, prior = _stream(1, loop=loop)
    y[20:, :8] = 0  # silent entries cost nothing
    bound = surprise_bound(SIZE, 1e-2)
    end = stream_recall(
        energy, y, theta=theta, threshold=threshold, successor=following, alarm=1e-2, **RULES
    )
    decision, restart, number, products = _by_hand(
        energy, following, y, prior, theta, threshold, bound
    )
    np.testing.assert_array_equal(end.decision, decision)
    np.testing.assert_array_equal(end.restarts, restart)
    quiet = ~restart
    assert 2 < restart.sum() < quiet.sum()
    np.testing.assert_array_equal(end.candidates[quiet], number[quiet])
    several = np.where(number > 1, number, 0)
    sent = np.asarray(end.sent)
    expected = products + 2 * sent + 3 * several  # the frame's square, and predictions
    np.testing.assert_array_equal(end.operations.macs[quiet], expected[quiet])
    np.testing.assert_array_equal(end.operations.exps[quiet], several[quiet])
    recall = sequential_recall(energy, y[:1], theta=theta, sigma=SIGMA)  # the first restart
    rest = (SIZE - float(recall.used[0])) * recall.alive[0].sum() + SIZE
    np.testing.assert_allclose(end.operations.macs[0], recall.operations.macs[0] + rest)


def test_without_order_places_stay():
    energy, _, _, y, _, prior = _stream(4)
    end = stream_recall(energy, y, theta=np.inf, bound=np.inf, sigma=SIGMA, hazard=0.1)
    matrix = place_filter.transition(prior, np.arange(len(prior)), stay=1.0, hazard=0.1)
    gaps = y[:, None] - np.asarray(energy.patterns)[None]
    exact = place_filter.posterior(-0.5 * (gaps**2).sum(-1) / SIGMA**2, prior, matrix)
    np.testing.assert_allclose(end.posterior, exact, atol=1e-10)


def test_a_frame_that_stays_costs_nothing_to_send():
    energy, _, _, y, _, _ = _stream(5)
    end = stream_recall(energy, np.repeat(y[:1], 5, axis=0), theta=4.0, sigma=SIGMA)
    assert (end.sent == 0).all() and not end.restarts[1:].any()
    several = np.where(end.candidates > 1, 3 * end.candidates, 0)[1:]
    np.testing.assert_array_equal(end.operations.macs[1:], several)
    # entries within the threshold are not sent, what is far is
    close = stream_recall(energy, y[:1] + np.array([[0.0], [0.3]]), theta=4.0, sigma=SIGMA,
                          threshold=0.4)  # fmt: skip
    far = stream_recall(energy, y[:1] + np.array([[0.0], [0.3]]), theta=4.0, sigma=SIGMA,
                        threshold=0.2)  # fmt: skip
    assert close.sent[1] == 0 and far.sent[1] == SIZE


def _segments(frames, streams, theta, seed=0):
    """Streams that never jump, from the first frame on, by the filter's own law."""
    rng = np.random.default_rng(seed)
    energy, x, prior, following = _places(rng)
    start = rng.choice(len(x), size=streams, p=prior)
    path = np.empty((streams, frames), int)
    path[:, 0] = start
    for t in range(1, frames):
        path[:, t] = following[path[:, t - 1]]
    y = x[path] + SIGMA * rng.standard_normal((streams, frames, SIZE))
    end = stream_recall(
        energy, y, theta=theta, sigma=SIGMA, hazard=HAZARD, successor=following, bound=np.inf
    )
    weight = prior[start] * (1 - HAZARD) ** (frames - 1)
    return end, path, weight


@pytest.mark.parametrize("theta", [2.0, 4.0])
def test_the_true_place_is_rarely_silenced(theta):
    end, path, weight = _segments(8, 2000, theta)
    alive = np.take_along_axis(np.asarray(end.posterior) > 0, path[..., None], 2)[..., 0]
    lost = ~alive.all(1)
    bound = np.minimum((1 / weight - 1) * np.exp(-theta), 1).mean()
    assert 0 < lost.mean() < bound
    if theta == 4.0:
        assert bound < 0.9  # it says something


def test_false_alarms_are_as_rare_as_chosen():
    rng = np.random.default_rng(6)
    energy, x, _, following = _places(rng)
    path = rng.integers(0, len(x), (2000, 1))
    for _ in range(3):
        path = np.concatenate([path, following[path[:, -1:]]], 1)
    y = x[path] + SIGMA * rng.standard_normal((*path.shape, SIZE))
    end = stream_recall(energy, y, theta=np.inf, sigma=SIGMA, successor=following, alarm=0.05)
    share = float(np.asarray(end.restarts[:, 1:]).mean())  # all are alive, so is the true one
    assert share <= 0.05 + 3 * np.sqrt(0.05 / 6000)
    # the nearest of 30 is the true one almost always here, so the test is nearly sharp
    assert share > 0.03


def test_a_jump_restarts_and_is_found():
    energy, following, _, _, _, _ = _stream(7)
    x = np.asarray(energy.patterns)
    path = np.r_[[0, 1, 2, 3, 4] * 4, [17, 18, 19, 15, 16] * 4]
    y = x[path] + 0.3 * np.random.default_rng(0).standard_normal((40, SIZE))
    end = stream_recall(energy, y, theta=8.0, sigma=0.3, hazard=0.01, successor=following)
    assert end.restarts[20] and end.restarts.sum() == 2
    np.testing.assert_array_equal(end.decision, path)
    attention = bpc.cost.attention_counts(SIZE, len(x)).macs
    assert (end.operations.macs[~end.restarts] < 0.08 * attention).all()


@pytest.mark.slow  # four programs to compile
def test_jit_vmap_streams_and_single_precision_agree():
    energy, following, _, y, _, _ = _stream(8)
    rules = RULES | dict(successor=following, theta=5.0, threshold=0.3)
    plain = stream_recall(energy, y, **rules)
    several = stream_recall(energy, np.stack([y[::-1], y]), **rules)
    mapped = jax.vmap(lambda frames: stream_recall(energy, frames, **rules))(
        jnp.asarray(np.stack([y[::-1], y]))
    )
    traced = jax.jit(lambda y, s: stream_recall(energy, y, **rules | dict(sigma=s)))(y, SIGMA)
    for leaf, *others in zip(*map(jax.tree.leaves, (plain, traced, several, mapped)), strict=True):
        np.testing.assert_allclose(leaf, others[0], atol=1e-12)
        np.testing.assert_allclose(leaf, others[1][1], atol=1e-12)
        np.testing.assert_allclose(others[1], others[2], atol=1e-12)
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), energy)
    short = stream_recall(single, y.astype(np.float32), **rules)
    assert short.posterior.dtype == jnp.float32
    np.testing.assert_allclose(short.posterior, plain.posterior, atol=1e-4)


@pytest.mark.slow
def test_single_precision_does_not_drift():
    energy, following, _, y, _, _ = _stream(9, frames=2000)
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), energy)
    rules = dict(theta=np.inf, bound=np.inf, successor=following, **RULES)
    short = stream_recall(single, y.astype(np.float32), **rules)
    whole = stream_recall(energy, y, **rules)
    np.testing.assert_allclose(short.posterior[-100:], whole.posterior[-100:], atol=2e-3)


def test_a_frame_of_nan_is_marked_and_the_next_restarts():
    energy, following, _, y, _, _ = _stream(3)
    rules = RULES | dict(successor=following, theta=5.0)
    y[10, 3] = np.nan
    end = stream_recall(energy, y, **rules)
    assert end.decision[10] == -1 and not end.ok[10] and np.isnan(end.posterior[10]).all()
    assert end.restarts[11] and end.ok.sum() == 59 and end.operations.macs[10] == 0
    after = stream_recall(energy, y[11:], **rules)
    np.testing.assert_array_equal(end.decision[11:], after.decision)
    np.testing.assert_allclose(end.posterior[11:], after.posterior, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("sigma", dict(sigma=0.0)),
        ("theta", dict(theta=-1.0)),
        ("theta", dict(theta=np.ones(2))),
        ("threshold", dict(threshold=-0.1)),
        ("threshold", dict(threshold=np.nan)),
        ("hazard", dict(hazard=1.5)),
        ("stay", dict(stay=-0.5)),
        ("alarm", dict(alarm=0.0)),
        ("bound", dict(bound=0.0)),
        ("successor", dict(successor=np.zeros(3, int))),
        ("successor", dict(successor=np.zeros(30))),
        ("successor", dict(successor=np.full(30, 30))),
        ("frames", dict(frames=np.zeros(24))),
        ("frames", dict(frames=np.zeros((5, 23)))),
        ("order", dict(order=np.zeros(24, int))),
    ],
)
def test_bad_input_is_named(name, bad):
    energy, _, _, y, _, _ = _stream(0)
    arguments = dict(frames=y, theta=4.0, sigma=SIGMA) | bad
    with pytest.raises(ValueError, match=name):
        stream_recall(energy, arguments.pop("frames"), **arguments)


def test_traced_nonsense_is_not_ok():
    energy, _, _, y, _, _ = _stream(0)

    @jax.jit
    def call(theta, sigma, hazard):
        return stream_recall(energy, y, theta=theta, sigma=sigma, hazard=hazard)

    assert call(4.0, 1.0, 0.1).ok.all()
    for bad in [(-1.0, 1.0, 0.1), (4.0, -1.0, 0.1), (4.0, 1.0, -0.1)]:
        end = call(*bad)
        assert not end.ok.any() and (end.decision == -1).all()
