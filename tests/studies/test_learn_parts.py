"""Parts of the study of learning: rows, trials, traffic."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.models import Backpropagation, NudgedPhases, RatePhases
from experiments.common.data import Split
from experiments.common.predictive import Training
from experiments.learn import Config
from experiments.learn.rows import table
from experiments.learn.traffic import bits
from experiments.learn.trials import candidates, held_out

pytestmark = pytest.mark.study
SPENT = {"free": 195.0, "values": 0.5, "errors": 0.5}


def test_bits_of_a_training_sample():
    wide = Training(hidden=(1024,))
    # 1,034 addresses and a sign: 12 bits a spike
    assert bits(wide, NudgedPhases(), SPENT) == 196 * 12
    # 1,024 values up, the errors of 10 classes down
    assert bits(wide, Backpropagation(), SPENT) == 32 * (1024 + 10)
    assert bits(wide, Backpropagation(jnp.asarray(0.5)), SPENT) == 195 * 12 + 32 * 10
    assert bits(wide, RatePhases(steps=2), SPENT) == 32 * (1024 + 10) * 3
    # the errors of the second hidden layer travel too
    assert bits(Training(hidden=(4, 6)), Backpropagation(), SPENT) == 32 * (10 + 16)
    exact = NudgedPhases(output_quantum=jnp.asarray(1e-5), steps=0)
    assert bits(wide, exact, SPENT) == 195.5 * 12 + 32 * 10
    assert math.isnan(bits(Training(maps=(8,), hidden=()), NudgedPhases(), SPENT))


def test_both_tuned_rows_try_the_same_settings():
    rows = table(Config())
    one, other = (candidates(rows[f"{name}, tuned"].settings, 8)
                  for name in ("spiking", "backpropagation"))  # fmt: skip
    assert one == other and len(set(one)) == 8
    assert one[0] == rows["spiking"].settings


def test_trials_see_no_image_twice():
    x = np.arange(60, dtype=np.float32)[:, None]
    rest, part = held_out(Split(x, np.arange(60) % 10, 10))
    assert len(part.x) == 10 and len(rest.x) == 50
    assert set(rest.x.ravel()) | set(part.x.ravel()) == set(range(60))
    assert (rest.labels == rest.x.ravel() % 10).all()


def test_ablations_and_depths_differ_from_their_first_row_in_what_they_name():
    rows = table(Config())
    base = rows["ablation: as it is"]
    assert rows["ablation: no value moves"].settings == base.settings
    assert rows["ablation: no value moves"].phases.steps == 0
    assert rows["ablation: straight through"].test is not rows["ablation: straight through"].phases
    depths = {name: row for name, row in rows.items() if row.group == "depth"}
    assert len({row.settings.hidden[0] for row in depths.values()}) == 1
    assert len({row.settings.epochs for row in depths.values()}) == 1
