"""Events as they arrive one after another and as they drift (`results/adapt_anytime.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import style

_LINES = {
    "network, onset told": (style.BLACK, "--"),
    "network": (style.BLUE, "-"),
    "network, windows added up": (style.SKY, "-"),
    "network, windows alone": (style.SKY, ":"),
    "logistic regression, change points": (style.GREEN, "-"),
    "logistic regression, leak": (style.GREEN, ":"),
    "naive Bayes, change points": (style.RED, "-"),
    "naive Bayes, leak": (style.RED, ":"),
}
_NAMES = {"nmnist": "N-MNIST", "spoken_digits": "spoken digits", "digits": "digits"}
_PANELS = 4  # of a set; drift follows


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: a column for each of two sets of recordings, two rows for one; drift below."""
    names, tasks = list(dataset.attrs["events"]), list(dataset.attrs["tasks"])
    keys = list(dataset.attrs["keys"])
    above = _PANELS if len(names) > 1 else _PANELS // 2
    rows = above + (len(tasks) + 1) // 2
    with style.look():
        fig, axs = plt.subplots(
            rows, 2, figsize=(style.WIDTH, 1.9 * rows), layout="constrained", squeeze=False
        )
        for ax in axs.ravel():
            ax.set_visible(False)
        for k, name in enumerate(names[:2]):
            column = axs[:above, k] if len(names) > 1 else axs[:above].T.ravel()
            for ax in column:
                ax.set_visible(True)
            _accuracy(column[0], dataset, name)
            _coverage(column[1], dataset, name)
            _delay(column[2], dataset, name)
            _example(column[3], dataset, name)
            column[0].set_title(_NAMES[name] + ": into the next recording, no reset", loc="left")
        lines, labels = axs[0, 0].get_legend_handles_labels()
        fig.legend(lines, labels, loc="outside lower center", ncols=3, fontsize=6)
        axs[1, 0].legend(fontsize=6, loc="lower right")  # coverage
        for k, (name, key) in enumerate(zip(tasks, keys, strict=True)):
            ax = axs[above + k // 2, k % 2]
            ax.set_visible(True)
            _drift(ax, dataset, key, legend=k == 0)
            ax.set_title(f"{name}: trained and tested by spikes", loc="left")
    return fig


def _of_training(dataset: xr.Dataset, name: str) -> np.ndarray:
    """Which folds test on training recordings: all but the official test, if there is one."""
    folds = dataset[f"{name}:fold"].values
    return folds < 5


def _accuracy(ax: Axes, dataset: xr.Dataset, name: str) -> None:
    right = dataset[f"{name}:right"].isel({f"{name}:fold": _of_training(dataset, name)})
    for method, (colour, line) in _LINES.items():
        each = right.sel(model=method).values[..., :-1].reshape(-1, dataset.sizes["frame"])
        with np.errstate(invalid="ignore"):
            known = np.isfinite(each).sum(axis=0)
            mean = np.nansum(each, axis=0) / np.maximum(known, 1)
        shown = known > 0
        ax.plot(dataset.frame.values[shown], mean[shown], line, color=colour, label=method)
    ax.set(xlabel="ms", ylabel="accuracy", ylim=(0, 1), xlim=(0, dataset.frame.values[shown][-1]))


def _decided(dataset: xr.Dataset, name: str, rule: str, key: str) -> np.ndarray:
    """Decisions by error rate, added up over recordings of all folds but the official one."""
    values = dataset[f"{name}:decisions, {key}"].sel(rule=rule)
    values = values.isel({f"{name}:fold": _of_training(dataset, name)})
    return values.sum([d for d in values.dims if d != "alpha"]).values


def _coverage(ax: Axes, dataset: xr.Dataset, name: str) -> None:
    alpha = dataset.alpha.values
    for rule in dataset.rule.values:
        given, right = (_decided(dataset, name, rule, key) for key in ("given", "right"))
        colour, line = _LINES[rule]
        some = given > 0
        ax.plot(alpha[some], 1 - right[some] / given[some], line, color=colour, marker="o",
                label=rule)  # fmt: skip
    ax.plot(alpha, alpha, color="0.7", linewidth=0.6)
    ax.set(xlabel="error rate stated", ylabel="answers wrong", xscale="log", yscale="log")


def _delay(ax: Axes, dataset: xr.Dataset, name: str) -> None:
    for rule in dataset.rule.values:
        delay = dataset[f"{name}:median, delay"].sel(rule=rule)
        delay = delay.isel({f"{name}:fold": _of_training(dataset, name)}).mean(f"{name}:fold")
        given, right = (_decided(dataset, name, rule, key) for key in ("given", "right"))
        colour, line = _LINES[rule]
        some = given > 0
        ax.plot(delay.values[some], right[some] / given[some], line, color=colour, marker="o")
    ax.set(xlabel="median time to the answer (ms)", ylabel="answers right")


def _example(ax: Axes, dataset: xr.Dataset, name: str) -> None:
    label, onset, likeliest, *posterior = dataset[f"{name}:example"].values[0]
    frame = float(dataset.frame.values[0])
    end = len(label) * frame
    ax.imshow(posterior, aspect="auto", origin="lower", cmap="Blues", vmin=0, vmax=1,
              extent=(0, end, -0.5, 9.5))  # fmt: skip
    time = frame * np.arange(len(label))
    ax.step(time, np.where(label >= 0, label, np.nan), color=style.RED, where="post")
    for begins, colour, low in ((onset, style.BLACK, 0), (likeliest, style.ORANGE, 0.9)):
        for t in np.flatnonzero(np.diff(begins) > 4) + 1:
            ax.axvline(time[t], low, low + 0.1, color=colour, linewidth=1.5)
    ax.set(xlabel="ms; marks: onsets (below), found (above)", ylabel="class", xlim=(0, end),
           yticks=range(0, 10, 3))  # fmt: skip


def _drift(ax: Axes, dataset: xr.Dataset, key: str, *, legend: bool) -> None:
    point = dataset[f"{key}:point"].values
    for decay, colour in zip(dataset.decay.values, (style.BLUE, style.RED), strict=False):
        share = dataset[f"{key}:right"].sel(decay=decay) / dataset[f"{key}:test"]
        stationary = (dataset[f"{key}:stationary"].sel(decay=decay) / dataset[f"{key}:test"]).mean()
        mean, count = share.mean("order"), share.sizes["order"]
        error = share.std("order", ddof=1) / np.sqrt(count) if count > 1 else 0 * mean
        label = f"weights decay, {decay:g}" if decay else "weights are kept"
        ax.plot(point, mean, color=colour, label=label)
        ax.fill_between(point, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
        ax.plot([point[-1] * 1.02], [stationary], color=colour, marker="<", clip_on=False)
    ax.axvline(float(dataset[f"{key}:change"][0]), color="0.6", linewidth=0.6)
    ax.set(xlabel="passes over the recordings", ylabel="accuracy")
    if legend:
        ax.plot([], [], color="0.3", marker="<", linestyle="", label="new law alone")
        ax.legend(loc="lower right")
