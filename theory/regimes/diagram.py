"""Branches of equilibria as labelled arrays, with their closed forms and errors beside them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from bpcjax.analysis import Bifurcation, Branch, Special, jacobian, spectrum

from ..closed_forms import folds

Exact = Mapping[Bifurcation, folds.Point]
_ALONG = "p", "y", "stable", "largest"  # one value for each point of a branch


def as_arrays(branch: Branch, y: Callable[[Any], Any], system: Any = None) -> dict[str, np.ndarray]:
    """Points of a branch: parameter, the number `y` of each state, whether it is stable, its
    largest eigenvalue or multiplier in absolute value; its special points, with their kind.
    `system` gives these an angular frequency as well, if the drive is the parameter of the branch.
    """
    arrays = {
        "p": np.asarray(branch.p),
        "y": np.asarray(jax.vmap(y)(branch.y)),
        "stable": np.asarray(branch.stable),
        "largest": np.abs(np.asarray(branch.eigenvalues)).max(axis=1),
        "kind": np.array([special.kind.name for special in branch.special], dtype="U16"),
        "special_p": np.array([float(special.p) for special in branch.special]),
        "special_y": np.array([float(y(special.y)) for special in branch.special]),
    }
    if system is not None:
        arrays["omega"] = np.array([frequency(system, special) for special in branch.special])
    return arrays


def frequency(system: Any, special: Special) -> float:
    """Angular frequency (per unit of time) of small differences at a special point."""
    matrix = jacobian(system, special.y, jnp.asarray(special.p))
    return float(jnp.abs(spectrum(matrix).imag).max())


def stacked(name: str, dim: str, branches: Sequence[Mapping[str, np.ndarray]]) -> dict[str, tuple]:
    """Variables `name_p` [dim, point] and so on of several branches, for a data set; rows are
    padded with NaN, kinds with nothing, and what is stable with false.
    """
    variables = {}
    for key in branches[0]:
        rows = [np.asarray(branch[key]) for branch in branches]
        longest = max(1, *(len(row) for row in rows))
        along = f"{name}_{'point' if key in _ALONG else 'special'}"
        fill: Any = {"U": "", "b": False}.get(rows[0].dtype.kind, np.nan)
        table = np.full((len(rows), longest), fill, dtype=rows[0].dtype)
        for k, row in enumerate(rows):
            table[k, : len(row)] = row
        variables[f"{name}_{key}"] = ((dim, along), table)
    return variables


def points(dataset: xr.Dataset, name: str, kind: Bifurcation) -> folds.Point:
    """Special point of that kind on each of `stacked` branches; NaN where there is none.

    **Raises:** `ValueError` if a branch has several.
    """
    marked = dataset[f"{name}_kind"].values == kind.name
    if (marked.sum(axis=1) > 1).any():
        raise ValueError(f"{name}: a branch has more than one {kind.value}.")

    def only(key):
        if f"{name}_{key}" not in dataset:
            return np.full(len(marked), np.nan)
        table = np.where(marked, dataset[f"{name}_{key}"].values, 0.0).sum(axis=1)
        return np.where(marked.any(axis=1), table, np.nan)

    return folds.Point(only("special_p"), only("special_y"), only("omega"))


def variables(name: str, dim: str, exact: Exact) -> dict[str, tuple]:
    """Closed forms [dim] for a data set: `name_fold_p`, `name_fold_y`, `name_hopf_p`, ..."""
    return {
        f"{name}_{kind.name.lower()}_{key}": (dim, np.asarray(value))
        for kind, point in exact.items()
        for key, value in (("p", point.drive), ("y", point.v))
    }


def onset(exact: Exact) -> np.ndarray:
    """Drive from which on there is no stable rest: that of the first of the special points."""
    return np.fmin(*(point.drive for point in exact.values()))


def differences(measured: Exact, exact: Exact) -> dict[str, float]:
    """Largest differences of special points from the closed forms, and how many of them are where
    there should be none, or missing.
    """
    result, wrong = {}, 0
    for kind, own in measured.items():
        exists = np.isfinite(exact[kind].drive)
        wrong += int((exists != np.isfinite(own.drive)).sum())
        for key in folds.Point._fields:
            off = np.abs(getattr(own, key) - getattr(exact[kind], key))
            worst = np.broadcast_to(off, exists.shape)[exists].max(initial=0.0)
            result[f"{kind.value}: error of {key}"] = float(worst)
    return result | {"special points too many or too few": wrong}


def errors(
    dataset: xr.Dataset, name: str, exact: Exact, rest: Callable[[np.ndarray], tuple]
) -> dict[str, float]:
    """Errors of `stacked` branches of equilibria against closed forms: special points, states
    (`rest(p)` gives the lower and the upper one), stability.
    """
    fold = exact[Bifurcation.FOLD]
    p, v, stable = (dataset[f"{name}_{key}"].values for key in ("p", "y", "stable"))
    padded = np.where(np.isfinite(p), p, fold.drive[:, None])
    off = np.fmin(*(np.abs(v - state) for state in rest(padded)))
    expected = (p < onset(exact)[:, None]) & (v < fold.v[:, None])
    return {
        **differences({kind: points(dataset, name, kind) for kind in exact}, exact),
        "rest: error of v": float(np.nanmax(off)),
        "points of wrong stability": int(((expected != stable) & np.isfinite(p)).sum()),
    }


def worst(*tables: Mapping[str, float]) -> dict[str, float]:
    """Largest errors: of each number, over several tables of them."""
    return {key: max(table[key] for table in tables) for key in tables[0]}
