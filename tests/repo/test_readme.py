"""The README's examples run, one after another, as they stand."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.slow
def test_examples_run_and_say_what_they_claim(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) >= 6
    scope: dict = {}
    with jax.numpy_rank_promotion("allow"):
        for block in blocks:
            exec(compile(block, str(README), "exec"), scope)
    plt.close("all")
    assert scope["found"].ys.v.max() <= -50.0 + 1e-9  # the threshold of the LIF neuron
    assert scope["table"].ok.all() and scope["table"].spikes.dims == ("current", "b")
    assert scope["v"].shape == (3, 6) and scope["ok"].all()
    assert int(scope["recalled"]) == int(scope["energy"].posterior(scope["query"]).argmax()) == 3
    assert scope["told"].size == 397 and scope["told"].sum() > 330  # logistic regression: 370
    times = scope["first_spikes"](scope["learned"])
    np.testing.assert_allclose(times, scope["wanted"], atol=0.05)  # what it was to learn
    # Quadratic IF from -peak to peak: T = tau (2 / sqrt(I)) atan(peak / sqrt(I)).
    drives = np.linspace(0.1, 2.0, 5)
    period = 10 * 2 / np.sqrt(drives) * np.arctan(10 / np.sqrt(drives))
    counts = jax.vmap(scope["spikes_in_a_second"])(jnp.asarray(drives))
    np.testing.assert_array_equal(counts, np.floor(1000 / period))


def test_both_commands_stand_in_the_readme_and_the_second_in_ci():
    commands = re.findall(r"```bash\n(.*?)\n```", README.read_text())
    assert len(commands) == 2
    assert commands[0].endswith("python -m experiments.recall")
    script = (README.parent / ".ci" / "run").read_text()
    assert f"\n{commands[1]}\n" in script
