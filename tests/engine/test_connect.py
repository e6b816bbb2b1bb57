"""How spikes are spread: every map against its matrix, values and derivatives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings, strategies as st

import bpcjax as bpc
from bpcjax import connect

PRE, POST = 40, 30


def close(actual, desired, atol=1e-12):
    np.testing.assert_allclose(actual, desired, rtol=0, atol=atol)


@eqx.filter_jit
def apply(weights, spikes):
    return weights(spikes)


def matrix_of(weights, pre):
    """The matrix [pre, post] of a linear map: what each source alone gives."""
    return np.stack([apply(weights, source) for source in np.eye(pre)])


# --- sparse against dense ---------------------------------------------------------------------


def random_matrix():
    """Rows of very different lengths: most with a few entries, one with none, one with all."""
    random = np.random.default_rng(0)
    matrix = random.normal(size=(PRE, POST)) * (random.random((PRE, POST)) < 0.15)
    matrix[3], matrix[7] = 0.0, random.normal(size=POST)
    return matrix


def some_spikes(seed=1):
    random = np.random.default_rng(seed)
    return np.where(random.random(PRE) < 0.3, random.integers(1, 4, PRE), 0.0)


def at_connections(sparse, matrix):
    """The entries of a matrix where the sparse map has its weights; 0 at padding."""
    padded = np.concatenate([matrix, np.zeros((PRE, 1))], 1)
    return np.take_along_axis(padded, np.asarray(sparse.targets), 1)


def test_sparse_is_its_matrix():
    matrix = random_matrix()
    sparse = connect.Sparse.from_dense(matrix)
    assert sparse.shape() == (PRE, POST) and sparse.parts() == POST  # the full row
    np.testing.assert_array_equal(matrix_of(sparse, PRE), matrix)
    for spikes in (some_spikes(), np.zeros(PRE), np.ones(PRE)):
        close(apply(sparse, spikes), spikes @ matrix)


def test_derivatives_of_sparse_are_those_of_its_matrix():
    matrix, spikes = random_matrix(), some_spikes()
    random = np.random.default_rng(2)
    sparse, out = connect.Sparse.from_dense(matrix), random.normal(size=POST)
    along, turn = random.normal(size=PRE), random.normal(size=(PRE, POST))

    def value(spikes, weights):
        return connect.Sparse(sparse.targets, weights, POST)(spikes)

    given_ = jnp.asarray(spikes), sparse.weights
    tangents = jnp.asarray(along), jnp.asarray(at_connections(sparse, turn))
    # Those by a silent source, whose row the value never reads, included.
    close(jax.jvp(value, given_, tangents)[1], along @ matrix + spikes @ (turn * (matrix != 0)))
    by_spikes, by_weights = jax.grad(lambda *given: value(*given) @ out, (0, 1))(*given_)
    close(by_spikes, matrix @ out)
    close(by_weights, at_connections(sparse, np.outer(spikes, out)))


# The product is skipped where nobody spikes: not so its derivatives.
@pytest.mark.parametrize("spikes", [some_spikes(), np.zeros(PRE)], ids=["some", "none"])
def test_a_dense_map_and_its_derivatives_are_those_of_its_matrix(spikes):
    matrix, random = random_matrix(), np.random.default_rng(2)
    along, turn, out = (random.normal(size=n) for n in (PRE, (PRE, POST), POST))

    def value(spikes, weights):
        return connect.Dense(weights)(spikes)

    given_, tangents = map(lambda x: tuple(map(jnp.asarray, x)), ((spikes, matrix), (along, turn)))
    result, slope = jax.jvp(value, given_, tangents)
    close(result, spikes @ matrix)
    close(slope, along @ matrix + spikes @ turn)
    by_spikes, by_weights = jax.grad(lambda *given: value(*given) @ out, (0, 1))(*given_)
    close(by_spikes, matrix @ out)
    close(by_weights, np.outer(spikes, out))
    rows = jax.vmap(value, (0, None))(jnp.stack([given_[0], given_[0] * 0, given_[0] + 1]), matrix)
    close(rows, np.stack([spikes, 0 * spikes, spikes + 1]) @ matrix)


@pytest.mark.slow
@pytest.mark.parametrize("batch", ["spikes", "weights", "both"])
def test_batches_of_sparse(batch):
    sparse = connect.Sparse.from_dense(random_matrix())
    spikes = jnp.stack([some_spikes(1), np.zeros(PRE), np.ones(PRE)])
    weights = jnp.asarray([1.0, -0.5, 2.0])[:, None, None] * sparse.weights[None]
    axes = (None if batch == "weights" else 0), (None if batch == "spikes" else 0)
    given_ = (spikes if axes[0] == 0 else spikes[0]), (weights if axes[1] == 0 else weights[0])

    def value(spikes, weights):
        return connect.Sparse(sparse.targets, weights, POST)(spikes)

    def loss(spikes, weights):
        return (jax.vmap(value, axes)(spikes, weights) ** 2).sum()

    def single(spikes, weights):
        return (value(spikes, weights) ** 2).sum()

    def row(k):
        return tuple(x if axis is None else x[k] for x, axis in zip(given_, axes, strict=True))

    close(jax.vmap(value, axes)(*given_), [value(*row(k)) for k in range(3)])
    whole = jax.grad(loss, (0, 1))(*given_)
    rows = [jax.grad(single, (0, 1))(*row(k)) for k in range(3)]
    for all_, axis, own in zip(whole, axes, zip(*rows, strict=True), strict=True):
        close(all_, sum(own) if axis is None else np.stack(own), 1e-11)


def test_connections_in_a_list_may_repeat():
    random = np.random.default_rng(3)
    sources, targets = random.integers(0, PRE, 200), random.integers(0, POST, 200)
    weights = random.normal(size=200)
    sparse = connect.Sparse.from_lists(PRE, POST, sources, targets, weights)
    matrix = np.zeros((PRE, POST))
    np.add.at(matrix, (sources, targets), weights)  # the same pair twice adds up
    assert len(set(zip(sources.tolist(), targets.tolist(), strict=True))) < 200
    close(matrix_of(sparse, PRE), matrix)
    same = connect.Sparse.from_lists(PRE, POST, sources, targets, 0.5)
    close(matrix_of(same, PRE).sum(), 100.0)


def test_arrivals_of_each_connection():
    matrix = random_matrix()
    sparse, dense = connect.Sparse.from_dense(matrix), connect.Dense(matrix)
    arrivals = np.random.default_rng(4).integers(0, 3, (PRE, POST)).astype(float)
    close(dense.spread_parts(jnp.asarray(arrivals)), (arrivals * matrix).sum(0))
    own = jnp.asarray(at_connections(sparse, arrivals))
    close(sparse.spread_parts(own), (arrivals * matrix).sum(0))
    spikes = some_spikes()
    for weights in (sparse, dense):
        shared = jnp.broadcast_to(jnp.asarray(spikes)[:, None], (PRE, weights.parts()))
        close(weights.spread_parts(shared), spikes @ matrix)


# --- random connections -----------------------------------------------------------------------


def test_random_connections_have_the_statistics_of_coins():
    pre, post, p = 400, 250, 0.1
    sparse = connect.Sparse.random(jax.random.key(0), pre, post, p, 0.7)
    matrix = matrix_of(sparse, pre)
    np.testing.assert_array_equal(np.unique(matrix), [0.0, 0.7])  # no pair twice
    there = matrix > 0
    # Binomial counts: of all, of each row and of each column; five standard deviations.
    assert abs(there.sum() - pre * post * p) < 5 * np.sqrt(pre * post * p * (1 - p))
    for axis, n in ((1, post), (0, pre)):
        counts, variance = there.sum(axis), n * p * (1 - p)
        assert abs(counts - n * p).max() < 5 * np.sqrt(variance)
        assert abs(counts.var() / variance - 1) < 5 * np.sqrt(2 / counts.size)


def test_random_connections_at_the_ends():
    key = jax.random.key(1)
    none, every = (connect.Sparse.random(key, 5, 7, p, 2.0) for p in (0.0, 1.0))
    close(matrix_of(none, 5), np.zeros((5, 7)))
    close(matrix_of(every, 5), np.full((5, 7), 2.0))


def test_a_fixed_number_of_sources():
    pre, post, count = 50, 600, 20
    sparse = connect.Sparse.fixed_in(jax.random.key(0), pre, post, count, 1.0)
    matrix = matrix_of(sparse, pre)
    np.testing.assert_array_equal(matrix.sum(0), count)  # every target has its sources
    assert matrix.max() > 1  # drawn with replacement
    # Out-degrees: multinomial, of mean 240.
    mean, variance = post * count / pre, post * count / pre * (1 - 1 / pre)
    assert abs(matrix.sum(1) - mean).max() < 5 * np.sqrt(variance)
    # Chi-square of 49 degrees of freedom: mean 49, variance 98.
    assert abs(((matrix.sum(1) - mean) ** 2 / mean).sum() - 49) < 5 * np.sqrt(98)


@pytest.mark.parametrize("kind", ["random", "fixed_in"])
def test_random_connections_follow_from_their_key(kind):
    def draw(seed):
        make, how = getattr(connect.Sparse, kind), {"random": 0.2, "fixed_in": 6}[kind]
        return matrix_of(make(jax.random.key(seed), 20, 30, how, 1.0), 20)

    np.testing.assert_array_equal(draw(0), draw(0))
    assert (draw(0) != draw(1)).any()


# --- maps with a structure --------------------------------------------------------------------


# (out, channels, window), extent, stride
@pytest.mark.parametrize(
    "shape, extent, stride",
    [((1, 1, 3), (8,), 1), ((2, 3, 4), (11,), 2), ((3, 2, 3, 2), (7, 6), 3)],
)
def test_convolution_is_scipys_correlation(shape, extent, stride):
    random = np.random.default_rng(5)
    kernel, maps = random.normal(size=shape), random.normal(size=(shape[1], *extent))
    weights = connect.Convolution(kernel, extent, stride)
    every = (slice(None, None, stride),) * len(extent)
    wanted = [
        sum(scipy.signal.correlate(maps[c], kernel[o, c], "valid") for c in range(shape[1]))[every]
        for o in range(shape[0])
    ]
    wanted = np.stack(wanted).ravel()
    assert weights.shape() == (maps.size, wanted.size)
    close(weights(jnp.asarray(maps.ravel())), wanted)
    by_kernel = jax.grad(lambda k: connect.Convolution(k, extent, stride)(maps.ravel()).sum())
    close((by_kernel(kernel) * kernel).sum(), wanted.sum())  # linear in its kernel (Euler)


def test_lateral_and_one_to_one_are_their_matrices():
    own = np.random.default_rng(6).normal(size=6)
    close(matrix_of(connect.Lateral(-0.3), 6), -0.3 * (1 - np.eye(6)))
    close(matrix_of(connect.OneToOne(own), 6), np.diag(own))
    close(matrix_of(connect.OneToOne(2.0), 6), 2 * np.eye(6))
    assert connect.Lateral(1.0).shape() == connect.OneToOne(1.0).shape() == (None, None)
    assert connect.OneToOne(own).shape() == (6, 6)


MAPS = {
    "dense": connect.Dense(np.random.default_rng(7).normal(size=(12, 5))),
    "sparse": connect.Sparse.random(jax.random.key(2), 12, 5, 0.4, 1.5),
    "one to one": connect.OneToOne(np.linspace(-1, 1, 12)),
    "lateral": connect.Lateral(0.7),
    "convolution": connect.Convolution(np.random.default_rng(8).normal(size=(2, 3, 2)), (4,)),
}
numbers = st.lists(st.floats(-1e3, 1e3), min_size=12, max_size=12).map(np.array)


@pytest.mark.parametrize("name", MAPS)
@given(x=numbers, y=numbers, a=st.floats(-10, 10))
@settings(max_examples=10, deadline=None)
def test_every_map_is_linear(name, x, y, a):
    weights = MAPS[name]
    close(apply(weights, x + a * y), apply(weights, x) + a * apply(weights, y), 1e-9)


# --- what does not fit ------------------------------------------------------------------------


def sparse(targets, weights, post=2):
    return connect.Sparse(np.asarray(targets), np.asarray(weights), post)


def key():
    return jax.random.key(0)


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: connect.Dense(jnp.ones(3)), "weights must be a matrix"),
        (lambda: connect.Dense(jnp.full((2, 2), jnp.nan)), "Dense.weights must not be NaN"),
        (lambda: sparse([[0]], jnp.nan, 1), "Sparse.weights must not be NaN"),
        (lambda: sparse([0, 1], 1.0), "targets must be"),
        (lambda: sparse([[0.5]], 1.0), "targets must be whole"),
        (lambda: sparse([[0, -1]], 1.0), "targets must be in 0..1"),
        (lambda: sparse([[0, 3]], 1.0), "targets must be in 0..1"),
        (lambda: sparse([[0, 1]], [1.0, 2.0, 3.0]), "weights must be"),
        (lambda: sparse([[0, 1]], [[1.0], [2.0]]), "weights must be"),
        (lambda: connect.Sparse.from_lists(3, 4, [3], [0], 1.0), "sources must be in 0..2"),
        (lambda: connect.Sparse.from_lists(3, 4, [0], [4], 1.0), "targets must be in 0..3"),
        (lambda: connect.Sparse.from_lists(3, 4, [-1], [0], 1.0), "sources must be"),
        (lambda: connect.Sparse.random(key(), 3, 4, 1.1, 1.0), "probability"),
        (lambda: connect.Convolution(jnp.ones((1, 3)), (8,)), "kernel must have shape"),
        (lambda: connect.Convolution(jnp.ones((1, 1, 9)), (8,)), "kernel .* larger than extent"),
        (lambda: connect.Convolution(jnp.ones((1, 1, 3)), (8,), 0), "stride"),
        (lambda: connect.Lateral(jnp.nan), "Lateral.weight must not be NaN"),
        (lambda: connect.Lateral(1.0).spread_parts(jnp.ones((3, 3))), "no single connections"),
    ],
)
def test_what_does_not_fit_is_named(make, name):
    with pytest.raises(ValueError, match=name):
        make()


def test_weights_that_do_not_fit_the_population_are_named():
    synapse, lif = bpc.synapses.Exponential(5.0), bpc.neurons.LIF()
    for weights in (
        connect.Dense(jnp.ones((4, 5))),
        sparse([[0], [1], [2]], 1.0, 5),
        connect.OneToOne(jnp.ones(4)),
        connect.Convolution(jnp.ones((2, 1, 3)), (5,)),
    ):
        network = bpc.Network(lif, [bpc.Projection(weights, synapse)])
        with pytest.raises(ValueError, match=r"projections\[0\].weights has shape"):
            network.rest(5)


# --- no connections, sizes of other kinds -----------------------------------------------------

KEY = jax.random.key(0)
NOBODY = [
    lambda pre, post: connect.Sparse.from_lists(pre, post, [], [], []),
    lambda pre, post: connect.Sparse.from_lists(pre, post, [], [], 1.0),
    lambda pre, post: connect.Sparse.from_dense(np.zeros((pre, post))),
    lambda pre, post: connect.Sparse.random(KEY, pre, post, 0.0, 5.0),
    lambda pre, post: connect.Sparse.fixed_in(KEY, pre, post, 0, 5.0),
    lambda pre, post: connect.Sparse(np.zeros((pre, 0), int), 5.0, post),
]


@pytest.mark.slow
@pytest.mark.parametrize("make", NOBODY)
@pytest.mark.parametrize("pre, post", [(3, 2), (0, 2), (3, 0)])
def test_no_connections_are_a_map_to_zero(make, pre, post):
    weights = make(pre, post)
    assert weights.shape() == (pre, post)
    value, slope = jax.jvp(weights, (jnp.ones(pre),), (jnp.ones(pre),))
    assert value.tolist() == slope.tolist() == [0.0] * post
    assert weights.spread_parts(jnp.ones(weights.targets.shape)).tolist() == [0.0] * post


@pytest.mark.slow
def test_a_projection_without_connections_does_nothing():
    # 3 spikes: each neuron alone sends one in 40 ms, as without a projection.
    lif, synapse = bpc.neurons.LIF(), bpc.synapses.Exponential(5.0)

    def spikes(projections):
        network = bpc.Network(lif, projections)
        return bpc.simulate(network, network.rest(3), 130.0, t1=40.0, dt=0.1, max_spikes=9).spikes

    alone = spikes([])
    assert alone.count == 3
    for delay in (None, 1.0):
        result = spikes([bpc.Projection(NOBODY[0](3, 3), synapse, delay=delay)])
        np.testing.assert_array_equal(result.times, alone.times)


def test_sizes_are_numbers_of_python():
    for kind in (np.int64, np.uint8, jnp.int32):
        sparse = connect.Sparse.from_lists(kind(200), kind(100), kind([150]), kind([99]), [2.0])
        assert type(sparse.post) is int and sparse.shape() == (200, 100)
        assert jax.tree.structure(sparse) == jax.tree.structure(
            connect.Sparse.from_lists(200, 100, [150], [99], [2.0])
        )
        window = connect.Convolution(np.ones((1, 1, 2)), (200,), kind(1))
        assert type(window.stride) is int and window.shape() == (200, 199)
    with pytest.raises(ValueError, match=r"post must be at least 0, got -1"):
        connect.Sparse(np.zeros((1, 1), int), np.ones((1, 1)), -1)
    with pytest.raises(ValueError, match=r"count must be at least 0, got -1"):
        connect.Sparse.fixed_in(KEY, 3, 3, -1, 1.0)
    with pytest.raises(ValueError, match=r"pre must be at least 1, got 0"):
        connect.Sparse.fixed_in(KEY, 0, 3, 1, 1.0)
    with pytest.raises(ValueError, match="targets must be within"):
        connect.Sparse(np.array([[2**32]]), np.ones((1, 1)), 3)  # not target 0
    with pytest.raises(ValueError, match="sources and targets must be two arrays of one length"):
        connect.Sparse.from_lists(3, 3, [0, 1], [1], 1.0)
