"""Multiple roots: sharpened by the singular Jacobian, because the equations hardly tell their
place.

Next to a root of multiplicity m the equations are as small as the distance to the power m. So an
error of the equations, if only of rounding, is an error of its m-th root in the place, and the
eigenvalue there has any sign. That the eigenvalue is zero tells the place well.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._flow import Flow, Vector, padded

ROUNDS = 6  # of further steps of Newton's method: some rows in doubt only came to rest slowly
STEPS = 40  # of Newton's method for a singular Jacobian
REACH = 4.0  # how many uncertainties away a singular Jacobian is looked for
FAR = 0.1  # of one plus the size of the state: the most that an uncertainty is taken to be
DOUBT = 0.5  # of the equations, or of a singular value: a change by more is not small
CARE = 10.0  # rounding units of the equations' terms: surely no smaller than their error
LEAST = 10.0  # rounding units of the largest singular value: one below is zero already
ALONG = np.linspace(-1.0, 2.0, 7)  # where the equations are compared with their derivative


@eqx.filter_jit
def _rate(flow: Flow, x: Float[Array, "rows n"]):
    return (jax.vmap(flow.rate)(x),)


@eqx.filter_jit
def _jacobian(flow: Flow, x: Float[Array, "rows n"]):
    return (jax.vmap(flow.jacobian)(x),)


@eqx.filter_jit
def _bend(flow: Flow, x: Vector, along: Float[Array, "n k"]):
    return jax.vmap(lambda v: jax.jvp(flow.jacobian, (x,), (v,))[1], in_axes=1)(along)


def _rates(flow: Flow, x: np.ndarray, free: np.ndarray) -> np.ndarray:
    return np.asarray(padded(_rate, flow, x)[0][:, free], float)


def _jacobians(flow: Flow, x: np.ndarray, free: np.ndarray) -> np.ndarray:
    return np.asarray(padded(_jacobian, flow, x)[0][:, free[:, None], free], float)


def _bends(flow: Flow, x: np.ndarray, free: np.ndarray, along: np.ndarray) -> np.ndarray:
    """The derivatives of the Jacobian along the columns of a matrix."""
    directions = np.zeros((len(x), along.shape[1]), x.dtype)
    directions[free] = along
    bends = np.asarray(_bend(flow, jnp.asarray(x), jnp.asarray(directions)), float)
    return bends[:, free[:, None], free]


def sharpen(flow: Flow, x: np.ndarray, constant: np.ndarray, again: Callable) -> np.ndarray:
    """Sharpen roots [rows, n]: where the Jacobian is singular within a root's uncertainty, take the
    point where it is.

    Coordinates that are `constant` stay. `again` takes rows further steps of Newton's method.
    """
    x, free = np.array(x), np.flatnonzero(~constant)
    left = np.arange(len(x)) if len(free) else np.zeros(0, int)
    for _ in range(ROUNDS):
        left = left[_doubtful(flow, x[left], free)] if len(left) else left
        if not len(left):
            return x
        then = again(x[left])
        sizes = [np.abs(_rates(flow, rows, free)).max(axis=1) for rows in (x[left], then)]
        better = sizes[1] < sizes[0]
        x[left] = np.where(better[:, None], then, x[left])
        if not better.any():
            break
    for row in left:
        x[row] = _singular(flow, x[row], free)
    return x


def _moved(x: np.ndarray, free: np.ndarray, change: np.ndarray) -> np.ndarray:
    """The rows after a bounded `change` of the free coordinates."""
    most = FAR * (1 + np.linalg.norm(x, axis=-1, keepdims=True))
    length = np.linalg.norm(change, axis=-1, keepdims=True)
    rows = x.astype(float)
    rows[..., free] += change * np.minimum(1.0, most / np.where(length > 0, length, 1.0))
    return rows.astype(x.dtype)


def _errors(flow: Flow, x: np.ndarray, free: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
    """Error bound of the equations [rows, n]: what is left of them, and rounding of their terms.

    Terms may cancel at a root, in the derivative as well, but not all around.
    """
    beside = _moved(x, free, np.full((len(x), len(free)), FAR / len(free) ** 0.5))
    slopes = np.fmax(np.abs(jacobian), np.abs(_jacobians(flow, beside, free))).sum(axis=2)
    rounding = np.finfo(x.dtype).eps * slopes * (1 + np.linalg.norm(x, axis=1, keepdims=True))
    return np.abs(_rates(flow, x, free)) + CARE * rounding


def _doubtful(flow: Flow, x: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Which rows may have a singular Jacobian nearby: it changes as much as the equations, along
    the way by which their error moves the root. No decomposition is needed.
    """
    jacobian = _jacobians(flow, x, free)
    error = _errors(flow, x, free, jacobian)
    doubt = np.zeros(len(x), bool)
    for way in (1.0, np.cos(np.pi * np.arange(len(free)) ** 2 / 3)):
        step = _solved(jacobian, error * way)
        for side in (REACH, -REACH):
            bend = _jacobians(flow, _moved(x, free, side * step), free) - jacobian
            change = np.abs(np.einsum("rij,rj->ri", bend, step))
            doubt |= (np.nan_to_num(change) > DOUBT * error).any(axis=1)
    return doubt


def _solved(matrices: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Row by row; zero where a matrix is singular."""
    solutions = np.zeros_like(values)
    for k, (matrix, value) in enumerate(zip(matrices, values, strict=True)):
        try:
            solutions[k] = np.linalg.solve(matrix, value)
        except np.linalg.LinAlgError:
            continue
    return np.where(np.isfinite(solutions).all(axis=1, keepdims=True), solutions, 0.0)


def _kernel(flow: Flow, x: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, float]:
    """The directions (columns) in which the root is uncertain by as much as to where the Jacobian
    is singular, and by how much.
    """
    jacobian = _jacobians(flow, x[None], free)
    error = _errors(flow, x[None], free, jacobian)[0]
    left, sizes, right = np.linalg.svd(jacobian[0])
    resolved = sizes > LEAST * np.finfo(x.dtype).eps * sizes[0]
    step = np.where(resolved, np.abs(left.T) @ error / np.where(resolved, sizes, 1.0), 0.0)
    bends = []
    for side in (REACH, -REACH):
        there = _moved(x, free, side * (right.T @ step))[None]
        bend = _jacobians(flow, there, free)[0] - jacobian[0]
        bends.append(np.abs(np.einsum("ij,ik,jk->k", bend, left, right.T)))
    doubt = resolved & (np.nan_to_num(np.max(bends, axis=0)) > DOUBT * sizes)
    return right[doubt].T, float(np.linalg.norm(step[doubt]))


def _singular(flow: Flow, x: np.ndarray, free: np.ndarray) -> np.ndarray:
    """The point next to a root where the Jacobian is singular; the root, if that is no root."""
    kernel, uncertainty = _kernel(flow, x, free)
    now = x
    for _ in range(STEPS if kernel.size else 0):
        step = _toward_singular(flow, now, free, kernel)
        if step is None or np.linalg.norm(step[0] - x) > REACH**2 * uncertainty:
            return x
        before, (now, kernel, left) = now, step
        if (now == before).all():
            break
    return now if kernel.size and _as_good(flow, x, now, free, left) else x


def _toward_singular(flow: Flow, x: np.ndarray, free: np.ndarray, kernel: np.ndarray):
    """A step of Newton's method for the singular values of the kernel, and in all other directions
    for the equations; with the kernel there on either side.
    """
    bends = _bends(flow, x, free, kernel)
    rate, jacobian = _rates(flow, x[None], free)[0], _jacobians(flow, x[None], free)[0]
    if not (np.isfinite(bends).all() and np.isfinite(jacobian).all()):
        return None
    left, sizes, right = np.linalg.svd(jacobian)
    order = np.argsort(-np.linalg.norm(right @ kernel, axis=1))  # the same directions as before
    small, other = np.split(order, [kernel.shape[1]])
    bent = np.einsum("ik,cij,jl->klc", left[:, small], bends, right[small].T)
    bent = bent.reshape(-1, len(small))
    part = np.linalg.lstsq(bent, -np.diag(sizes[small]).ravel(), rcond=None)[0]
    regular = (left[:, other].T @ rate) / np.where(sizes[other] > 0, sizes[other], np.inf)
    change = kernel @ part - right[other].T @ regular
    return _moved(x, free, change), right[small].T, left[:, small]


def _as_good(flow: Flow, x: np.ndarray, there: np.ndarray, free: np.ndarray, left) -> bool:
    """Whether the equations are as small there as at a root, as far as they can be told: they
    change along the way by no more than they differ from the integral of their derivative.
    """
    way = (there.astype(float) - x)[free]
    places = np.stack([_moved(x, free, part * way) for part in ALONG])
    rates = _rates(flow, places, free) @ left
    slopes = (_jacobians(flow, places, free) @ way) @ left
    expected = (slopes[:-2:2] + 4 * slopes[1::2] + slopes[2::2]) / 6  # Simpson's rule
    error = np.abs(np.diff(rates[::2], axis=0) - expected).max()
    root, end = np.abs(rates[ALONG == 0]).max(), np.abs(rates[ALONG == 1]).max()
    return bool(end <= max(root, REACH * error))
