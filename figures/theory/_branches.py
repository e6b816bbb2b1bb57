"""Branches of equilibria and orbits from data sets, with closed forms over them."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bpcjax.analysis import Bifurcation, Branch, Ending, Special
from bpcjax.plot import bifurcation

from .. import style

EXACT: Any = dict(linestyle="none", marker="x", color=style.RED, zorder=4)
_OPEN: Any = dict(linestyle="none", markerfacecolor="white")


def as_branch(dataset: xr.Dataset, name: str) -> Branch:
    """Branch of the variables `name_p`, `name_y`, ... of one row; its states are numbers."""

    def values(key):
        return dataset[f"{name}_{key}"].values

    finite, marked = np.isfinite(values("p")), values("kind") != ""  # rows are padded
    special = tuple(
        Special(Bifurcation[str(kind)], float(p), jnp.asarray(y))
        for kind, p, y in zip(
            *(values(key)[marked] for key in ("kind", "special_p", "special_y")), strict=True
        )
    )
    return Branch(
        jnp.asarray(values("p")[finite]),
        jnp.asarray(values("y")[finite]),
        jnp.full((int(finite.sum()), 1), jnp.nan + 0j),
        jnp.asarray(values("stable")[finite]),
        None,
        special,
        Ending.COUNT,
    )


def equilibria(ax: Axes, row: xr.Dataset, name: str, xlabel: str) -> tuple[float, float]:
    """A branch of equilibria with its closed forms; drive and potential of its fold."""
    bifurcation(as_branch(row, name), ax, xlabel=xlabel, ylabel="")
    for kind in ("fold", "hopf"):
        ax.plot(row[f"{name}_{kind}_p"], row[f"{name}_{kind}_y"], **EXACT)
    ax.get_legend().remove()
    return float(row[f"{name}_fold_p"]), float(row[f"{name}_fold_y"])


def equilibria_legend(fig) -> None:
    """The legend of panels of equilibria, below them."""
    line = dict(color=style.BLUE)
    handles = [
        Line2D([], [], label="stable", **line),
        Line2D([], [], label="unstable", linestyle="--", **line),
        Line2D([], [], label="Hopf point, by continuation", marker="o", **line, **_OPEN),
        Line2D([], [], label="fold, by continuation", marker="s", **line, **_OPEN),
        Line2D([], [], label="closed forms", **EXACT),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def loss_of_rest(ax: Axes, dataset: xr.Dataset) -> list[Line2D]:
    """Where rest is lost on a map over the drive: closed forms as lines, points of continuation as
    marks.
    """
    lines = []
    for kind, marker, colour, name, dash in (
        ("FOLD", "s", style.BLACK, "fold", "-"),
        ("HOPF", "o", style.PURPLE, "Hopf", "--"),
    ):
        exact = dataset[f"boundary_{kind.lower()}_p"]
        label = f"{name}, closed form"
        lines += ax.plot(exact, dataset.boundary, dash, color=colour, label=label)
        marked = dataset.line_kind.values == kind
        at = np.broadcast_to(dataset.line.values[:, None], marked.shape)[marked]
        lines += ax.plot(
            dataset.line_special_p.values[marked], at, marker=marker, color=colour,
            label=f"{name}, by continuation", clip_on=False, **_OPEN,
        )  # fmt: skip
    ax.set_xlim(dataset.I.min().item(), dataset.I.max().item())
    return lines


def stability(ax: Axes, p: Any, y: Any, stable: Any, colour: str, label: str | None = None) -> None:
    """A branch as a line, solid where it is stable, dashed where not."""
    for want, line in ((True, "-"), (False, "--")):
        shown = stable == want
        shown[1:] |= (stable == want)[:-1]  # joined to the next piece
        name = f"{label}, {'stable' if want else 'unstable'}" if label else None
        ax.plot(p, np.where(shown, y, np.nan), line, color=colour, label=name)
