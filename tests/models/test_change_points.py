"""The change-point filter: all sets of change points, the leak of two classes, its promise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from bpcjax.models import ChangePointFilter, answers, scaled_evidence
from theory.closed_forms import change_points

PRIOR = np.array([0.5, 0.2, 0.3])


def _evidence(seed, frames, phases, classes=3):
    return 1.5 * np.random.default_rng(seed).standard_normal((frames, classes, phases))


@pytest.mark.parametrize(
    "phase, hazard",
    [((0, 1, 1, 2), 0.15), ((0, 1), (0.1, 0.4)), ((0,), 0.3), (tuple(range(9)), 0.2)],
)
def test_the_filter_is_the_sum_over_all_sets_of_change_points(phase, hazard):
    evidence = _evidence(0, 9, max(phase) + 1)
    seen = ChangePointFilter(PRIOR, hazard, phase)(evidence)
    for t in range(1, 10):
        exact, _ = change_points.posterior(evidence[:t], PRIOR, hazard, phase)
        np.testing.assert_allclose(seen.posterior[t - 1], exact.sum(1), atol=1e-12)
        lengths = np.bincount(np.minimum(np.arange(t), len(phase) - 1), exact.sum(0), len(phase))
        np.testing.assert_allclose(seen.run_length[t - 1], lengths, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.3, 0.5])
def test_an_answer_is_the_first_likely_class_of_a_recording_that_began_after_the_last(alpha):
    phase, hazard, evidence = (0, 1, 1, *[2] * 9, 0), 0.15, _evidence(3, 12, 3)
    given = np.asarray(answers(ChangePointFilter(PRIOR, hazard, phase)(evidence).joint, alpha))
    last, number = -1, 0
    for t in range(12):
        exact, _ = change_points.posterior(evidence[: t + 1], PRIOR, hazard, phase, last)
        share = exact[:, : t - last].sum(1)  # began after the last answer
        expected = share.argmax() if share.max() >= 1 - alpha else -1
        assert given[t] == expected
        last, number = (t, number + 1) if expected >= 0 else (last, number)
    assert number > 1


def test_two_classes_without_phases_leak_by_the_hazard():
    # an onset draws either class, so that classes change places at half the hazard
    ratio, hazard = np.random.default_rng(1).standard_normal(40), 0.1
    evidence = np.stack([ratio, np.zeros(40)], axis=1)[:, :, None]
    share = np.asarray(ChangePointFilter([0.5, 0.5], hazard)(evidence).posterior)
    exact = change_points.log_odds(ratio, hazard / 2)
    np.testing.assert_allclose(np.log(share[:, 0] / share[:, 1]), exact, atol=1e-10)


def test_no_hazard_adds_up_and_a_certain_one_forgets():
    evidence = _evidence(2, 6, 2)
    told = ChangePointFilter(PRIOR, 0.0, (0, 1, 1))(evidence)
    rows = np.concatenate([evidence[:1, :, 0], evidence[1:, :, 1]])
    exact = np.exp(log_softmax(rows.cumsum(0) + np.log(PRIOR), axis=1))
    np.testing.assert_allclose(told.posterior, exact, atol=1e-12)
    alone = ChangePointFilter(PRIOR, 1.0, (0, 1, 1))(evidence)
    exact = np.exp(log_softmax(evidence[:, :, 0] + np.log(PRIOR), axis=1))
    np.testing.assert_allclose(alone.posterior, exact, atol=1e-12)


def _drawn(rng, means, phase, hazard, frames):
    """Classes [T], whether a recording begins [T], Gaussian log likelihoods [T, C, K]."""
    onset = np.append(True, rng.random(frames - 1) < hazard)
    began = np.maximum.accumulate(np.where(onset, np.arange(frames), 0))
    classes = rng.choice(3, frames, p=PRIOR)[began]
    length = np.minimum(np.arange(frames) - began, len(phase) - 1)
    x = means[classes, np.asarray(phase)[length]] + rng.standard_normal((frames, 4))
    return classes, began, -0.5 * ((x[:, None, None] - means[None]) ** 2).sum(-1)


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_answers_keep_their_promise_where_the_model_holds(alpha):
    rng, phase, hazard = np.random.default_rng(4), (0, 0, 1, *[2] * 97), 0.05
    means = rng.standard_normal((3, 3, 4))
    drawn = [_drawn(rng, means, phase, hazard, 400) for _ in range(40)]
    joint = jax.vmap(lambda e: ChangePointFilter(PRIOR, hazard, phase)(e).joint)(
        jnp.asarray(np.stack([evidence for *_, evidence in drawn]))
    )
    right, posterior = [], np.asarray(joint.sum(axis=3))
    given = np.asarray(jax.vmap(lambda one: answers(one, alpha))(joint))
    for (classes, began, _), row in zip(drawn, given, strict=True):
        last = -1
        for t in np.flatnonzero(row >= 0):
            right.append(row[t] == classes[t] and began[t] > last)
            last = t
    error = np.sqrt(alpha * (1 - alpha) / len(right))
    # at least 1 - alpha; above it by as much as the last frame's evidence oversteps it
    assert len(right) > 400 and 1 - alpha - 3 * error < np.mean(right)
    # calibrated: the mean confidence is the accuracy
    best = [(p.argmax(1) == c).mean() for p, (c, *_) in zip(posterior, drawn, strict=True)]
    assert np.mean(best) == pytest.approx(posterior.max(axis=2).mean(), abs=0.02)


def test_a_frame_that_says_nothing_is_left_out():
    evidence = _evidence(5, 5, 1)
    filtered = ChangePointFilter(PRIOR, 0.2)
    for nothing in (np.nan, -np.inf):
        broken = evidence.copy()
        broken[2] = nothing
        blank = evidence.copy()
        blank[2] = 0.0
        np.testing.assert_allclose(filtered(broken).posterior, filtered(blank).posterior)


def test_scaled_likelihoods_are_bayes_rule():
    # of a table of likelihoods p(x | c, k): the network that has learned it says p(c, k | x)
    rng = np.random.default_rng(6)
    likelihood, prior = rng.dirichlet(np.ones(5), (3, 4)), rng.dirichlet(np.ones(12)).reshape(3, 4)
    outputs = np.log(np.moveaxis(likelihood, -1, 0) * prior) + rng.standard_normal((5, 1, 1))
    log = np.asarray(scaled_evidence(outputs, np.log(prior)))
    factor = log - np.log(np.moveaxis(likelihood, -1, 0))
    np.testing.assert_allclose(factor, np.broadcast_to(factor[:, :1, :1], factor.shape), atol=1e-12)
    # of the phase alone: p(x | k)
    log = np.asarray(scaled_evidence(outputs, np.log(prior), of_class=0.0))
    mixed = np.einsum("ckx,ck->xk", likelihood, prior / prior.sum(0))
    assert np.ptp(log, axis=1).max() < 1e-12
    factor = log[:, 0] - np.log(mixed)
    np.testing.assert_allclose(factor, np.broadcast_to(factor[:, :1], factor.shape), atol=1e-12)


@pytest.mark.parametrize(
    "arguments, text",
    [
        (([0.5, -0.5], 0.1), "prior must not be negative"),
        ((0.5, 0.1), r"prior must have shape \[C\]"),
        ((PRIOR, 1.5), "hazard must be in \\[0, 1\\]"),
        ((PRIOR, (0.1, 0.2), (0,)), r"hazard must be a number or have shape \(1,\)"),
        ((PRIOR, 0.1, (-1, 0)), "phase must be indices"),
        ((PRIOR, 0.1, 0), r"phase must have shape \[R\]"),
        ((PRIOR, np.nan), "hazard must be in \\[0, 1\\]"),
    ],
)
def test_bad_arguments_are_named(arguments, text):
    with pytest.raises(ValueError, match=text):
        ChangePointFilter(*arguments)


def test_bad_evidence_is_named():
    filtered = ChangePointFilter(PRIOR, 0.1, (0, 1))
    with pytest.raises(ValueError, match=r"evidence must have shape \[T, 3, K\]"):
        filtered(np.zeros((4, 2, 2)))
    with pytest.raises(ValueError, match="evidence is of 1 phases, but phase goes to 1"):
        filtered(np.zeros((4, 3, 1)))
    with pytest.raises(ValueError, match=r"alpha must be in \[0, 1\)"):
        answers(np.zeros((4, 3, 2)), 1.0)
    with pytest.raises(ValueError, match=r"joint must have shape \[T, C, R\]"):
        answers(np.zeros((4, 3)), 0.1)
    with pytest.raises(ValueError, match="outputs must end with"):
        scaled_evidence(np.zeros((4, 3, 2)), np.zeros((3, 3)))
