"""Bifurcation diagram: branches of equilibria, cycles or spike maps over a parameter."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import ArrayLike
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .._require import sequence
from ..analysis import Bifurcation, Branch, Special
from ._axes import axes, names_above, pick

_MARKS = {
    Bifurcation.FOLD: "s",
    Bifurcation.HOPF: "o",
    Bifurcation.BRANCH: "D",
    Bifurcation.PERIOD_DOUBLING: "^",
    Bifurcation.TORUS: "P",
}


class _Curve(NamedTuple):
    """What is drawn of a branch: rows and special points in their order along it."""

    p: np.ndarray  # [points]
    heights: list[np.ndarray]  # one line, or the least and the largest value, each [points]
    solid: np.ndarray  # [points - 1], between one point and the next
    kinds: list[Bifurcation | None]  # None: a row of the branch


def bifurcation(
    branches: Branch | Sequence[Branch],
    ax: Axes | None = None,
    *,
    y: Callable[[Any], Any] | None = None,
    ranges: Sequence[tuple[ArrayLike, ArrayLike] | None] | None = None,
    labels: Sequence[str] | None = None,
    xlabel: str = "parameter",
    ylabel: str = "state",
) -> Axes:
    """Bifurcation diagram of a branch of `analysis.follow`, or a list of them: solid where stable,
    dashed where not, a marker at each special point.

    `y` gives the number that is drawn of one state (`lambda y: y.v`); states that are one number
    need none. `ranges` has for each branch None, or the least and the largest value on each of its
    cycles, ([K], [K]), which are drawn instead. `labels` name the branches, distinguished by
    colour.

    **Raises:** `ValueError` naming the argument: no branches, or none with points, states of
    several numbers without `y`, a `y` that is no number, ranges or labels that do not fit.
    """
    rows = sequence("branches", [branches] if isinstance(branches, Branch) else branches, Branch)
    rows = list(rows)
    if not rows:
        raise ValueError("branches: there are none to draw.")
    for name, items in (("ranges", ranges), ("labels", labels)):
        if items is not None:
            sequence(name, items, *((str,) if name == "labels" else (tuple, list, type(None))))
        if items is not None and len(items) != len(rows):
            raise ValueError(f"{name}: {len(items)} for {len(rows)} branches.")
    curves = [
        _curve(row, y, between)
        for row, between in zip(rows, ranges or [None] * len(rows), strict=True)
    ]
    ax = axes(ax)
    for k, curve in enumerate(curves):
        for heights in curve.heights:
            _draw(ax, curve, heights, f"C{k}")
    named = [] if labels is None else list(labels)
    _legend(ax, curves, named)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax


def _draw(ax: Axes, curve: _Curve, heights: np.ndarray, colour: str) -> None:
    ends = [0, *np.flatnonzero(np.diff(curve.solid)) + 1, len(curve.solid)]
    for a, b in zip(ends[:-1], ends[1:], strict=True):
        if a < b:
            style: Any = "-" if curve.solid[a] else "--"
            ax.plot(curve.p[a : b + 1], heights[a : b + 1], color=colour, linestyle=style)
    if len(heights) == 1:
        ax.plot(curve.p, heights, color=colour, marker=".")
    for kind, p, height in zip(curve.kinds, curve.p, heights, strict=True):
        if kind is not None:
            mark: Any = dict(marker=_MARKS[kind], markerfacecolor="white", zorder=3)
            ax.plot(p, height, color=colour, **mark)


def _legend(ax: Axes, curves: list[_Curve], labels: list[str]) -> None:
    handles = [Line2D([], [], color=f"C{k}", label=label) for k, label in enumerate(labels)]
    solid = np.concatenate([curve.solid for curve in curves])
    if solid.any():
        handles.append(Line2D([], [], color="0.3", linestyle="-", label="stable"))
    if not solid.all():
        handles.append(Line2D([], [], color="0.3", linestyle="--", label="unstable"))
    for kind in dict.fromkeys(kind for curve in curves for kind in curve.kinds if kind):
        mark: Any = dict(marker=_MARKS[kind], markerfacecolor="white", linestyle="none")
        handles.append(Line2D([], [], color="0.3", label=kind.value, **mark))
    names_above(ax, handles=handles)


def _curve(branch: Branch, y: Callable | None, between: Any) -> _Curve:
    p, stable = np.asarray(branch.p, float), np.asarray(branch.stable, bool)
    if p.ndim != 1 or not len(p):
        raise ValueError(f"branches: a branch of {p.shape} points. Take one that has some.")
    states = _rows(branch.y, len(p))
    if between is None:
        heights = [pick(branch.y, y, len(p))]
    else:
        heights = [_numbers(x, len(p)) for x in between]
    place, at, marked = np.arange(len(p), dtype=float), p, [[] for _ in heights]
    for special in branch.special:
        where = _place(states, p, special)
        place, at = np.append(place, where), np.append(at, float(special.p))
        own = [np.interp(where, np.arange(len(p)), x) for x in heights]
        if between is None:
            own = [float(pick(jax.tree.map(lambda x: np.asarray(x)[None], special.y), y, 1)[0])]
        for values, value in zip(marked, own, strict=True):
            values.append(value)
    order = np.argsort(place, kind="stable")
    kinds = [None] * len(p) + [special.kind for special in branch.special]
    solid = []
    for one, two in zip(order[:-1], order[1:], strict=True):
        ends = [k for k in (one, two) if k < len(p)]  # a special point has no stability of its own
        low = int(place[one])
        solid.append(stable[ends or [low, min(low + 1, len(p) - 1)]].all())
    return _Curve(
        at[order],
        [np.append(x, more)[order] for x, more in zip(heights, marked, strict=True)],
        np.array(solid, bool),
        [kinds[k] for k in order],
    )


def _rows(states: Any, count: int) -> np.ndarray:
    """Stacked states as stacked vectors [count, n]."""
    leaves = [np.asarray(x, float).reshape(count, -1) for x in jax.tree.leaves(states)]
    return np.concatenate(leaves, axis=1)


def _place(states: np.ndarray, p: np.ndarray, special: Special) -> float:
    """Where along the branch a special point lies: 2.5 is half way between rows 2 and 3."""
    if len(p) == 1:
        return 0.0
    along = np.column_stack([p, states])
    point = np.append(float(special.p), _rows(special.y, 1))
    scale = np.ptp(along, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    along, point = along / scale, point / scale
    step, off = np.diff(along, axis=0), point - along[:-1]
    length = (step**2).sum(axis=1)
    share = np.clip((step * off).sum(axis=1) / np.where(length > 0, length, 1.0), 0.0, 1.0)
    nearest = int(np.argmin(((off - share[:, None] * step) ** 2).sum(axis=1)))
    return nearest + float(share[nearest])


def _numbers(values: ArrayLike, count: int) -> np.ndarray:
    values = np.asarray(values, float)
    if values.shape != (count,):
        raise ValueError(f"ranges must be two vectors of {count} values, got {values.shape}.")
    return values
