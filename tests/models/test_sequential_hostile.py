"""Memories that decide early under bad, extreme and empty input: right, refused by name, or marked
as not `ok`; never a number that means nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.models import (
    FlipLikelihood,
    GaussianLikelihood,
    PoissonLikelihood,
    SequentialMemory,
    StudentLikelihood,
    bandit_search,
    by_information,
    certify,
    partial_distance_search,
    sequential_recall,
    stream_recall,
)

pytestmark = (
    pytest.mark.slow
)  # arguments of types that the default run, which checks types, refuses

X = np.random.default_rng(0).standard_normal((5, 6))
Y = X[:2] + 0.1


def flat(x, beta=1.0):
    return bpc.energies.ModernHopfield.from_prior(x, beta, jnp.zeros(len(x)))


def test_no_query_at_all_and_no_frame_at_all():
    none = np.zeros((0, 6))
    assert sequential_recall(flat(X), none, theta=3.0).posterior.shape == (0, 5)
    assert partial_distance_search(X, none).decision.shape == (0,)
    assert bandit_search(X, none, sigma=1.0).decision.shape == (0,)
    assert stream_recall(flat(X), none, theta=3.0, sigma=1.0).posterior.shape == (0, 5)


def test_blocks_and_budgets_beyond_the_entries_are_all_entries():
    """Else 2^40 entries that say nothing would be stored, and 2^40 is no integer of 32 bits."""
    whole = sequential_recall(flat(X), Y, theta=3.0, sigma=1.0, block=6)
    wide = sequential_recall(flat(X), Y, theta=3.0, sigma=1.0, block=2**40, budget=2**70)
    np.testing.assert_array_equal(wide.posterior, whole.posterior)
    np.testing.assert_array_equal(wide.operations.adds, whole.operations.adds)
    one, other = (partial_distance_search(X, Y, block=b) for b in (6, 2**40))
    np.testing.assert_array_equal(one.decision, other.decision)
    np.testing.assert_array_equal(one.operations.macs, other.operations.macs)


def test_what_is_beyond_the_type_is_not_ok():
    nobody = bpc.energies.ModernHopfield(X, 1.0, np.full(5, -np.inf))
    far = bpc.energies.ModernHopfield(np.array([[1e3, -1e3], [0, 0]]), 1.0)
    ends = [
        sequential_recall(nobody, Y, theta=3.0),  # a prior of nobody
        sequential_recall(flat(X), Y, theta=3.0, sigma=1e-200),  # a precision of inf
        sequential_recall(far, np.full((1, 2), 1e308), theta=3.0, sigma=1.0),  # inf - inf
        stream_recall(nobody, Y, theta=3.0, sigma=1.0),
        stream_recall(flat(X), Y, theta=3.0, sigma=1e-200),
    ]
    for end in ends:
        assert not end.ok.any() and (end.decision == -1).all() and np.isnan(end.posterior).all()


def test_one_memory_ruled_out_by_the_prior_is_as_if_it_were_not_there():
    prior = np.log([0.2, 0.3, 0.1, 0.4, 0.0], where=np.arange(5) < 4, out=np.full(5, -np.inf))
    energy = bpc.energies.ModernHopfield.from_prior(X, 1.0, prior)
    fewer = bpc.energies.ModernHopfield.from_prior(X[:4], 1.0, prior[:4])
    for theta in (2.0, np.inf):
        end, expected = (sequential_recall(e, Y, theta=theta, sigma=1.0) for e in (energy, fewer))
        np.testing.assert_allclose(end.posterior[:, :4], expected.posterior, atol=1e-12)
        assert end.ok.all() and (end.posterior[:, 4] == 0).all()


def test_traced_patterns_and_leads_that_make_no_sense_are_not_ok():
    y = jnp.array([[0.0, 1.0]])

    @jax.jit
    def recall(x, y, likelihood):
        return sequential_recall(flat(x), y, theta=3.0, likelihood=likelihood).ok

    means = jnp.array([[1.0, 0.5], [1.0, 2.0], [2.0, 1.0]])
    assert recall(means, y, PoissonLikelihood()).all()
    assert not recall(means.at[0, 0].set(0.0), y, PoissonLikelihood()).any()
    signs = jnp.array([[1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    assert recall(signs, 1 - 2 * y, FlipLikelihood(0.1)).all()
    assert not recall(signs.at[0, 0].set(0.5), 1 - 2 * y, FlipLikelihood(0.1)).any()
    lead = jax.jit(lambda lead: sequential_recall(flat(X), Y, theta=3.0, lead=lead).ok)
    assert lead(1.0).all() and not lead(-1.0).any() and not lead(np.nan).any()


def test_half_precision_counts_its_operations():
    """600 memories of 40 entries: 24000 products, which bfloat16 has not (24064 and 23936)."""
    x = jnp.asarray(np.random.default_rng(1).standard_normal((600, 40)), jnp.bfloat16)
    energy = bpc.energies.ModernHopfield(x, jnp.bfloat16(1.0), jnp.zeros(600, jnp.bfloat16))
    end = sequential_recall(energy, np.ones((1, 40)), theta=np.inf, sigma=1.0)
    assert end.posterior.dtype == jnp.bfloat16 and end.operations.macs[0] == 24_000


def test_single_patterns_with_a_double_beta_are_recalled_in_single():
    energy = bpc.energies.ModernHopfield.from_prior(X.astype(np.float32), 1.0, np.zeros(5))
    assert energy.log_prior.dtype == jnp.float64  # as a number of Python's is under x64
    end = sequential_recall(energy, Y, theta=3.0, sigma=1.0)
    stream = stream_recall(energy, Y, theta=3.0, sigma=1.0)  # carried in one type
    assert {end.posterior.dtype, stream.posterior.dtype} == {jnp.dtype(jnp.float32)}
    assert stream.ok.all()


@pytest.mark.parametrize("kind", [int, bool])
def test_rasters_of_whole_numbers_and_booleans_are_numbers(kind):
    rng = np.random.default_rng(2)
    energy = bpc.energies.DelayHopfield(rng.standard_normal((3, 4, 5)), 0.7)
    y, seen = rng.random((4, 5)) < 0.4, rng.random((4, 5)) < 0.6
    for mask in (None, seen):
        unrolled = None if mask is None else mask.ravel()
        expected = energy.unrolled().scores(y.ravel() * 1.0, unrolled)
        np.testing.assert_allclose(energy.scores(y.astype(kind), mask).ravel(), expected)
    weights = np.arange(15)
    np.testing.assert_allclose(energy.mixture(weights), energy.mixture(weights * 1.0))


def test_an_energy_takes_whole_numbers_and_refuses_no_mask():
    energy, y, seen = flat(X), np.array([1, 0, 1, 1, 0, 2]), np.arange(6) < 3
    whole = energy.update(jnp.array(y, float))
    np.testing.assert_array_equal(energy.update(y), whole)
    some = energy.scores(jnp.array(y, float), seen)
    np.testing.assert_array_equal(energy.scores(y, seen), some)
    with pytest.raises(ValueError, match="seen"):
        energy.scores(y, True)


def test_successors_of_few_bits():
    x = np.random.default_rng(3).standard_normal((128, 6))
    following = np.r_[np.arange(1, 128), -1]
    rules = dict(theta=4.0, sigma=0.8, stay=0.2, hazard=0.1)
    few, many = (
        stream_recall(flat(x), x[:4], successor=s, **rules)
        for s in (following.astype(np.int8), following)
    )
    np.testing.assert_array_equal(few.posterior, many.posterior)


def test_decisions_and_operations_move_with_the_memories_and_the_entries():
    """Memories in another order: the same posterior in that order, at the same cost. Entries in
    another order, taken in the old one: nothing changes."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((40, 12))
    y = x[:8] + 0.8 * rng.standard_normal((8, 12))
    rows, columns = rng.permutation(40), rng.permutation(12)
    one = sequential_recall(flat(x), y, theta=3.0, sigma=0.8)
    other = sequential_recall(
        flat(x[rows][:, columns]), y[:, columns], theta=3.0, sigma=0.8, order=np.argsort(columns)
    )
    np.testing.assert_array_equal(rows[other.decision], one.decision)
    np.testing.assert_allclose(other.posterior, one.posterior[:, rows], atol=1e-12)
    for mine, theirs in zip(
        jax.tree.leaves(other.operations), jax.tree.leaves(one.operations), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


PROMISE = certify(X, 1.0, X[0])


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("sigma", lambda: GaussianLikelihood(np.ones(6))),
        ("rate", lambda: StudentLikelihood(0.5, np.ones(5))),
        ("flip", lambda: FlipLikelihood(np.full(6, 0.1))),
        ("likelihood", lambda: sequential_recall(flat(X), Y, theta=1.0, likelihood="flip")),
        ("y must be real", lambda: sequential_recall(flat(X), Y + 1j, theta=1.0)),
        ("y must be real", lambda: partial_distance_search(X, Y + 1j)),
        ("frames", lambda: stream_recall(flat(X), Y + 1j, theta=1.0, sigma=1.0)),
        ("unrolled", lambda: stream_recall(
            bpc.energies.DelayHopfield(X.reshape(5, 2, 3), 1.0), Y, theta=1.0, sigma=1.0)),
        ("patterns", lambda: sequential_recall(
            bpc.energies.ModernHopfield(X + 1j, 1.0), Y, theta=1.0)),
        ("sigma", lambda: by_information(flat(X), -1.0)),
        ("sigma", lambda: by_information(flat(X), np.nan)),
        ("error", lambda: PROMISE.theta_for(-0.1)),
        ("theta", lambda: PROMISE.silencing_bound(np.nan)),
        ("theta", lambda: PROMISE.expected_share(-1.0)),
        ("theta", lambda: PROMISE.expected_share(np.ones(5))),
        ("interval", lambda: SequentialMemory.events(np.arange(6), interval=-1.0)),
        ("seen", lambda: SequentialMemory.events(np.arange(6), np.full(6, 0.5))),
    ],
)  # fmt: skip
def test_bad_input_is_named(name, call):
    with pytest.raises(ValueError, match=name):
        call()
