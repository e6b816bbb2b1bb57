"""The study of answers at any time: streams, beliefs, measures by hand, and a small run."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy.special import log_softmax
from scipy.stats import poisson

from bpcjax.models import NudgedPhases, answers
from experiments import adapt_anytime
from experiments.adapt_anytime import beliefs, measures, rivals
from experiments.adapt_anytime.networks import answer
from experiments.adapt_anytime.recordings import (
    FRAME,
    LEAST,
    Recordings,
    Streams,
    draw,
    since,
    traces,
)
from experiments.adapt_anytime.report import falls, threshold
from experiments.adapt_anytime.spikes import drift, start
from experiments.common.drifts import Task
from experiments.common.precision import single

pytestmark = pytest.mark.study


def _recordings(count=12, frames=20):
    rng = np.random.default_rng(0)
    counts = [rng.poisson(1.0, (frames + k, 3)).astype(np.uint8) for k in range(count)]
    return Recordings("digits", counts, np.arange(count) % 10, 2)


def test_streams_show_recordings_one_after_another():
    data = _recordings()
    streams = draw(data, np.arange(10), 30, 4, 0)
    shown = np.bincount(streams.which.ravel(), minlength=12)
    assert shown[:10].min() >= 8 and shown[10:].sum() == 0  # 120 turns of 10, about alike
    assert 0.35 < streams.whole.mean() < 0.65 and streams.length.min() >= LEAST
    for s, k in ((0, 0), (7, 2), (29, 3)):
        first, size = streams.start[s, k], streams.length[s, k]
        which = streams.which[s, k]
        own = slice(first, first + size)
        np.testing.assert_array_equal(streams.counts[s, own], data.counts[which][:size])
        assert (streams.label[s, own] == data.labels[which]).all()
        assert (streams.onset[s, own] == first).all()
        assert len(set(streams.which[s])) == 4
    ends = streams.length.sum(axis=1)
    assert (streams.label[ends.argmin(), ends.min() :] == -1).all()


def test_folds_part_the_training_recordings():
    data = _recordings(27)
    tests = [data.split(k)[1] for k in range(5)]
    assert sorted(np.concatenate(tests)) == list(range(25))
    assert all(not np.isin(*data.split(k)).any() for k in range(6))
    np.testing.assert_array_equal(data.split(5)[1], [25, 26])


def test_counts_since_the_onset_are_sums():
    counts = np.random.default_rng(1).poisson(1.0, (9, 2))
    onset = np.array([0, 0, 0, 3, 3, 3, 3, 3, 3])
    parts = since(counts, onset, 2, 3)
    np.testing.assert_allclose(parts[2], [counts[:2].sum(0), counts[2], [0, 0]])
    exact = [counts[3:5].sum(0), counts[5:7].sum(0), counts[7:9].sum(0)]
    np.testing.assert_allclose(parts[8], exact)
    np.testing.assert_allclose(parts.sum(1)[4], counts[3:5].sum(0))


def test_the_evidence_of_counts_is_that_of_poisson():
    data = _recordings(40, 6)
    rate = rivals.rates(data, np.arange(40), 2)
    counts = np.array([[2, 0, 1], [0, 3, 1]])
    found = rivals.poisson_evidence(rate, counts)
    exact = poisson.logpmf(counts[:, None, None], rate[None]).sum(-1)
    gap = found - exact  # the factorials, which all share
    np.testing.assert_allclose(gap, np.broadcast_to(gap[:, :1, :1], gap.shape), atol=1e-5)
    leaky = rivals.leaky_scores(rate[:, :1], counts[None])
    keep = np.exp(-FRAME / rivals.LEAKS[0])
    each = rivals.poisson_evidence(rate[:, :1], counts)[:, :, 0]
    np.testing.assert_allclose(leaky[0, 0, 1], keep * each[0] + each[1], atol=1e-6)


def test_the_likeliest_onset_is_kept_once_the_run_length_is_off_its_scale():
    lengths = np.eye(4)[[0, 1, 2, 3, 3, 3, 0, 1]][None]
    np.testing.assert_array_equal(beliefs.likeliest_onset(lengths)[0], [0, 0, 0, 0, 0, 0, 6, 6])


def test_doubt_about_the_onset_goes_to_all_classes():
    said = np.log(np.full((1, 1, 10), 0.5 / 9))
    said[..., 3] = np.log(0.5)
    lengths = np.zeros((1, 1, 40))
    lengths[0, 0, [2, 5, 30]] = 0.5, 0.1, 0.4  # 5 is near 2, 30 is not
    found = beliefs.mixed(said, lengths, 1.0)[0, 0]
    assert found[3] == pytest.approx(0.6 * 0.5 + 0.04) and found.sum() == pytest.approx(1)


def test_the_short_form_of_the_stopping_rule():
    # that of the joint posterior, written out
    rng = np.random.default_rng(2)
    said = log_softmax(3 * rng.standard_normal((4, 60, 10)), axis=2)
    lengths = rng.dirichlet(np.full(25, 0.05), (4, 60))
    alphas = 0.6, 0.3
    short = beliefs.answers_of(said, lengths, 1.3, alphas)
    share = np.exp(log_softmax(said / 1.3, axis=2))
    close = beliefs.near(lengths)
    own = share[..., None] * np.where(close, lengths, 0)[:, :, None]
    joint = own + np.where(close, 0, lengths)[:, :, None] / 10
    assert (short >= 0).sum(axis=(1, 2)).min() > 10
    for alpha, rows in zip(alphas, short, strict=True):
        for one, row in zip(joint, rows, strict=True):
            np.testing.assert_array_equal(answers(jnp.asarray(one), alpha), row)


def _two():
    """A stream of a recording of 3 frames and one of 4, of the classes 1 and 2."""
    return Streams(
        np.array([[0, 1]]), np.array([[3, 4]]), np.array([[True, True]]),
        np.zeros((1, 7, 1), np.uint8), np.array([[1, 1, 1, 2, 2, 2, 2]]),
        np.array([[0, 0, 0, 3, 3, 3, 3]]),
    )  # fmt: skip


def test_accuracy_by_the_time_into_the_next_recording():
    named = np.array([1, 1, 1, 1, 2, 0, 2])
    posterior = np.eye(10)[named][None]
    right = measures.accuracy(posterior, _two(), np.array([1, 2]), np.array([0, 1]))
    assert np.isnan(right[0]).all()  # nothing comes before it
    np.testing.assert_array_equal(right[1, :4], [0, 1, 0, 1])
    assert np.isnan(right[1, 4:-1]).all() and right[1, -1] == 1


def test_only_the_first_answer_to_a_recording_is_right():
    given = np.array([[-1, 1, -1, -1, 2, 2, -1]])
    each = np.arange(7.0)[None]
    one = measures.decisions(given, _two(), np.array([0, 1]), each, 2 * each)
    assert one["given"][1] == 2 and one["right"][1] == 1 and one["answered"][1] == 1
    assert list(one["delay"]) == [2 * FRAME] and list(one["spikes"]) == [3 + 4]
    assert list(one["energy"]) == [14] and one["given"][0] == 0
    told = np.eye(10)[[1, 1, 1, 1, 2, 2, 2]][None]
    np.testing.assert_array_equal(
        beliefs.answers_told(told, _two().onset, 0.1)[0], [1, -1, -1, 1, -1, -1, -1]
    )


def test_the_largest_fall_is_from_the_best_so_far():
    right = np.array([[0.0, 1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0, 1.0], [0, 1, np.nan, 0, 1]])
    assert falls(right[:2]) == 1.0
    assert falls(np.array([[0.2, 0.5, 0.4, 0.9, 0.9]])) == pytest.approx(0.1)


def test_the_threshold_is_the_loosest_that_held_on_other_folds():
    # of 99 answers in each of the two others, as many wrong as the row says
    wrong = np.array([40, 9, 4, 0])
    given = np.full((3, 1, 4, 1), 99.0)
    right = given - wrong[None, None, :, None]
    dims = ("x:fold", "rule", "alpha", "r")
    dataset = xr.Dataset(
        {"x:decisions, given": (dims, given), "x:decisions, right": (dims, right)},
        {"x:fold": [0, 1, 5], "rule": ["network"], "alpha": [0.3, 0.2, 0.1, 0.05]},
    )
    assert threshold(dataset, "x", "network", 2, 0.1) == 1  # 19 of 199
    assert threshold(dataset, "x", "network", 2, 0.05) == 2
    assert threshold(dataset, "x", "network", 0, 0.1) == 1  # 10 of 100


def test_traces_of_a_steady_rate():
    # one spike a frame: a geometric sum, in units of what drives all alike in 100 ms
    counts = np.ones((2, 7, 3), np.uint8)
    keep, frames = np.exp(-FRAME / 50), np.arange(1, 8)
    result = traces(counts, (50.0, np.inf))
    assert result.shape == (2, 7, 6)
    exact = 2 * (1 - keep**frames) / (1 - keep)
    np.testing.assert_allclose(result[0, :, 1], exact, rtol=1e-6)
    np.testing.assert_allclose(result[1, :, 4], frames, rtol=1e-6)


def test_values_follow_a_steady_current_to_rest_by_the_fewest_spikes():
    net, phases = start(12, 0), single(NudgedPhases())
    x = np.random.default_rng(4).random((5, 12)).astype(np.float32)
    outputs, sent = answer(net, phases, jnp.asarray(np.stack([x] * 8)))
    for k in range(5):
        z, mus = phases.values(net, jnp.asarray(x[k]))
        np.testing.assert_allclose(outputs[-1, k], mus[-1], rtol=1e-4, atol=1e-5)
        # from silence each neuron climbs by as many spikes as its value has quanta, and no more
        assert float(sent[-1, k]) == pytest.approx(float(z[1].sum() / phases.quantum))
    assert (np.diff(sent, axis=0) >= 0).all()


def test_a_network_of_spikes_learns_a_new_law():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 10, 400)
    before = np.abs(rng.normal(size=(10, 30)))[labels] + 0.3 * rng.random((400, 30))
    task = Task("moved", before, np.roll(before, 7, axis=1), labels)
    metrics = drift(task, 6, 0, 0)
    share = metrics["right"] / metrics["test"]
    first = np.searchsorted(metrics["point"], metrics["change"], side="right")
    assert (share[:, first - 1] > 0.9).all() and (share[:, first] < 0.5).all()
    assert (share[:, -1] > metrics["stationary"] / metrics["test"] - 0.05).all()
    assert (metrics["spikes"] > 0).all()


@pytest.mark.slow
def test_recordings_arrive(tmp_path):
    config = adapt_anytime.Config(quick=True, out=str(tmp_path))
    dataset = adapt_anytime.STUDY(config)
    table = adapt_anytime.summary(dataset)
    of = "digits, folds, network"
    assert table[f"{of}: 100 ms"] > 0.8 and table[f"{of}: 50 ms"] > 0.6
    assert abs(table[f"{of}: end, less onset told"]) < 0.05
    assert 0.7 < table[f"{of}, alpha 0.1, posterior: coverage"] <= 1
    from figures import adapt_anytime as figure

    assert len(figure.draw(dataset).axes) == 4
