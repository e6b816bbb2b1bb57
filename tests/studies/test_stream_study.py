"""The study of streams: what is counted of a frame, what a frame shows, who is cheaper."""

import numpy as np
import pytest

from bpcjax import cost
from experiments import stream as study
from experiments.stream import methods, recordings, streams
from figures import stream as figure

pytestmark = pytest.mark.study


def _task(hazard=0.05, frames=60, number=6):
    rng = np.random.default_rng(0)
    here = streams.places(recordings.synthetic(None, number, rng), 4, 1, 0.3)
    y, path, jumps = streams.draw(here, streams.Noise(), hazard, 3, frames, rng)
    return methods.Task(here, y, hazard), path, jumps


def test_integrate_and_fire_keeps_the_integral():
    rates = np.random.default_rng(0).exponential(0.4, (200, 5))
    events = recordings.events_of(rates)
    assert events.min() >= 0
    np.testing.assert_array_equal(events.cumsum(0), np.floor(rates.cumsum(0)))


@pytest.mark.parametrize("windows", [1, 2])
def test_a_frame_shows_the_events_of_its_windows(windows):
    counts = np.random.default_rng(1).poisson(1.0, (40, 3))
    need = windows * streams.WINDOW
    frames = streams.framed(counts, windows)
    assert frames.shape == (40 - need + 1, 3 * windows)
    for t, frame in enumerate(frames):
        end = t + need
        for k, part in enumerate(frame.reshape(windows, 3)):
            stop = end - k * streams.WINDOW
            expected = counts[stop - streams.WINDOW : stop].sum(0)
            np.testing.assert_allclose(part**2, expected)


def test_noise_loses_moves_and_adds_events():
    rng = np.random.default_rng(2)
    counts = rng.poisson(2.0, (400, 50))
    spoilt = streams.Noise(0.3, 0.5, 0.0).spoil(counts, 2.0, rng)
    share = spoilt[1:-1].sum() / counts[1:-1].sum()  # what leaves at the ends is lost
    assert share == pytest.approx(0.7, abs=4 * np.sqrt(0.21 / counts.sum()) + 0.003)
    added = streams.Noise(1.0, 0.0, 0.2).spoil(counts, 2.0, rng)
    assert added.mean() == pytest.approx(0.4, abs=4 * np.sqrt(0.4 / counts.size))
    same = streams.Noise(0.0, 0.0, 0.0).spoil(counts, 2.0, rng)
    np.testing.assert_array_equal(same, counts)


def test_streams_follow_recordings_and_jump_by_the_hazard():
    task, path, jumps = _task(hazard=0.1, frames=400)
    here = task.here
    before, after = path[:, :-1], path[:, 1:]
    follows = (after == before) | (after == here.successor[before])
    assert (follows | jumps[:, 1:]).all()
    share = jumps[:, 1:].mean()
    assert share == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / jumps.size))
    assert (here.successor[here.successor >= 0] < len(here.patterns)).all()
    # without noise the place of a frame is the nearest, but for frames at its edges
    quiet = streams.Noise(0.0, 0.0, 0.0)
    exact = streams.places(here.counts, 4, 1, 0.0)
    y, path, _ = streams.draw(exact, quiet, 0.05, 2, 100, np.random.default_rng(3))
    scores = streams.scores_of(exact, path, methods.nearest(exact, y))
    assert scores[:, 0].mean() > 0.9 and (scores[:, 1:] == 1).all()


def test_what_is_held_is_never_further_than_the_threshold():
    task, _, _ = _task()
    frames, sent = methods.held(task.y, 0.3)
    assert np.abs(frames - task.y).max() <= 0.3 and (sent[:, 0] == task.y.shape[2]).all()
    same, _ = methods.held(task.y, 0.0)
    np.testing.assert_array_equal(same, task.y)
    changes = (np.diff(frames, axis=1) != 0).sum(2)
    np.testing.assert_array_equal(changes, sent[:, 1:])
    row = methods.delta_argmax(task.here, task.y, 0.3)
    assert row.counts.macs == pytest.approx(sent.mean() * len(task.here.patterns))


def test_nobody_silent_and_all_sent_decides_as_the_exact_filter():
    task, _, _ = _task()
    rules = methods.Rules(0.0, np.inf, 0.5, 0.5, np.inf, 0.0, np.inf, 0.5)
    rows, work = methods.ask(task, rules, ("argmax", *methods.METHODS[4:]))
    exact = rows["exact filter"].decision
    assert (rows["stream"].decision == exact).mean() > 0.995  # single precision
    np.testing.assert_array_equal(rows["stream"].decision, rows["beam search"].decision)
    assert (rows["sequential recall"].decision == rows["argmax"].decision).mean() > 0.995
    assert work.candidates == len(task.here.patterns)


def test_few_candidates_are_cheap_and_deltas_of_theirs_are_less_than_frames():
    task, path, _ = _task(hazard=0.02, frames=120)
    rules = methods.Rules(0.0, 7.0, 0.5, 0.5, 40.0, 0.0, 7.0, 0.5)
    rows, work = methods.ask(task, rules, methods.METHODS)
    spent = {name: methods.prices(task.here, row.counts) for name, row in rows.items()}
    assert (spent["stream"] < 0.06 * spent["attention"]).all()
    assert rows["stream"].counts.macs < rows["beam search"].counts.macs
    size, count = task.here.patterns.shape[1], len(task.here.patterns)
    assert rows["attention"].counts == cost.attention_counts(size, count)
    lead = [
        streams.scores_of(task.here, path, rows[n].decision)[:, 0] for n in ("stream", "argmax")
    ]
    assert np.mean(lead[0] - lead[1]) > -0.05
    assert 1 <= work.candidates < 5 and 0 < work.sent < 1 and work.products > work.law > 0


@pytest.mark.slow
def test_a_quick_run_its_summary_and_figure(tmp_path):
    config = study.Config(
        quick=True, out=str(tmp_path), recordings=5, hazards=(0.3,), thresholds=(0.0,),
        whites=(0.5,),
    )  # fmt: skip
    dataset = study.STUDY(config)
    metrics = study.summary(dataset)
    assert metrics["synthetic, attention: share of attention, fp32"] == 1
    low, high = (metrics[f"synthetic{k}: restarts"] for k in ("", ", hazard 0.3"))
    assert low < high
    assert np.isfinite(list(metrics.values())).all()
    assert len(figure.draw(dataset).axes) == 4
