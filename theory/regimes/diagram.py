"""Branches as labelled arrays: to keep them on disk, and to draw them from there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from bpcjax.analysis import Bifurcation, Branch, Ending, Special, jacobian, spectrum

from ..closed_forms import folds

_ALONG = "p", "y", "stable", "largest"  # one value for each point of a branch


def as_arrays(branch: Branch, y: Callable[[Any], Any], system: Any = None) -> dict[str, np.ndarray]:
    """A branch's points: parameter, the number `y` of each state, whether it is stable, its largest
    eigenvalue or multiplier in absolute value; and those of its special points, with their kind.
    `system` gives these an angular frequency as well, if the drive is the parameter of the branch.
    """
    found = {
        "p": np.asarray(branch.p),
        "y": np.asarray(jax.vmap(y)(branch.y)),
        "stable": np.asarray(branch.stable),
        "largest": np.abs(np.asarray(branch.eigenvalues)).max(axis=1),
        "kind": np.array([special.kind.name for special in branch.special], dtype="U16"),
        "special_p": np.array([float(special.p) for special in branch.special]),
        "special_y": np.array([float(y(special.y)) for special in branch.special]),
    }
    if system is not None:
        found["omega"] = np.array([frequency(system, special) for special in branch.special])
    return found


def frequency(system: Any, special: Special) -> float:
    """The angular frequency (per unit of time) of small differences at a special point."""
    matrix = jacobian(system, special.y, jnp.asarray(special.p))
    return float(jnp.abs(spectrum(matrix).imag).max())


def stacked(name: str, dim: str, found: Sequence[Mapping[str, np.ndarray]]) -> dict[str, tuple]:
    """Several branches as variables `name_p` [dim, point] and so on, for a data set; rows are
    padded with NaN, kinds with nothing, and what is stable with false.
    """
    variables = {}
    for key in found[0]:
        rows = [np.asarray(one[key]) for one in found]
        longest = max(1, *(len(row) for row in rows))
        along = f"{name}_{'point' if key in _ALONG else 'special'}"
        fill: Any = {"U": "", "b": False}.get(rows[0].dtype.kind, np.nan)
        table = np.full((len(rows), longest), fill, dtype=rows[0].dtype)
        for k, row in enumerate(rows):
            table[k, : len(row)] = row
        variables[f"{name}_{key}"] = ((dim, along), table)
    return variables


def as_branch(dataset: xr.Dataset, name: str) -> Branch:
    """The branch of `stacked` variables in which one row is selected; its states are numbers."""

    def values(key):
        return dataset[f"{name}_{key}"].values

    there, marked = np.isfinite(values("p")), values("kind") != ""
    special = tuple(
        Special(Bifurcation[str(kind)], float(p), jnp.asarray(y))
        for kind, p, y in zip(
            values("kind")[marked],
            values("special_p")[marked],
            values("special_y")[marked],
            strict=True,
        )
    )
    count = int(there.sum())
    return Branch(
        jnp.asarray(values("p")[there]),
        jnp.asarray(values("y")[there]),
        jnp.full((count, 1), jnp.nan + 0j),
        jnp.asarray(values("stable")[there]),
        None,
        special,
        Ending.COUNT,
    )


def points(dataset: xr.Dataset, name: str, kind: Bifurcation) -> folds.Point:
    """The special point of that kind on each of `stacked` branches; NaN where there is none.

    **Raises:** `ValueError` if a branch has several.
    """
    here = dataset[f"{name}_kind"].values == kind.name
    if (here.sum(axis=1) > 1).any():
        raise ValueError(f"{name}: a branch has more than one {kind.value}.")

    def only(key):
        if f"{name}_{key}" not in dataset:
            return np.full(len(here), np.nan)
        table = np.where(here, dataset[f"{name}_{key}"].values, 0.0).sum(axis=1)
        return np.where(here.any(axis=1), table, np.nan)

    return folds.Point(only("special_p"), only("special_y"), only("omega"))


def differences(
    found: Mapping[Bifurcation, folds.Point], exact: Mapping[Bifurcation, folds.Point]
) -> dict[str, float]:
    """The largest differences of special points from the closed forms, and how many points were
    found where there is none, or not found.
    """
    result, wrong = {}, 0
    for kind, own in found.items():
        there = np.isfinite(exact[kind].drive)
        wrong += int((there != np.isfinite(own.drive)).sum())
        for key in folds.Point._fields:
            off = np.abs(getattr(own, key) - getattr(exact[kind], key))
            worst = np.broadcast_to(off, there.shape)[there].max(initial=0.0)
            result[f"{kind.value}: error of {key}"] = float(worst)
    return result | {"special points too many or too few": wrong}
