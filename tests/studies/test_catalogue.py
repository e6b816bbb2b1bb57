"""The run of the catalogue and its figure."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")

import matplotlib.pyplot as plt

from experiments import catalogue
from experiments.catalogue.report import summary, table
from figures import catalogue as figure

pytestmark = pytest.mark.study


@pytest.mark.slow
def test_a_quick_run_holds_the_closed_forms_goes_on_and_is_drawn(tmp_path, monkeypatch):
    config = catalogue.Config(quick=True, out=str(tmp_path))
    dataset = catalogue.STUDY(config)
    result = summary(dataset)
    rows = [*result["curves"].values(), *result["patterns"].values()]
    assert len(rows) == 10 + 20 and sum(row["failed"] for row in rows) == 0
    for name in ("IF", "LIF", "theta"):
        assert result["curves"][name]["largest error (Hz)"] < 1e-6
    assert result["patterns"]["AdEx: tonic"]["spikes"] == 62  # as in test_neurons.py
    assert len(table(result).splitlines()) == 10 + 20 + 3

    # A potential never passes the peak that its spikes are cut off at, up to a sample of a hair.
    assert float(dataset.v.max()) < 50.0 + 1e-6 and np.isfinite(dataset.v).all()

    def refuse(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr(catalogue, "rates", refuse)
    monkeypatch.setattr(catalogue, "trace", refuse)
    assert catalogue.STUDY(config).identical(dataset)  # from the parts that are kept

    fig = figure.draw(dataset)
    fig.canvas.draw()
    titles = {ax.get_title() for ax in fig.axes}
    assert {name.split(": ")[1] for name in map(str, dataset.pattern.values)} <= titles
    plt.close(fig)
