"""Conversion of arguments to arrays: through numpy, so that no number wraps.

JAX casts whole numbers to its own integers first, which are of 32 bits in single precision.
"""

import numbers
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PyTree

_LEAST, _MOST = np.iinfo(np.int32).min, np.iinfo(np.int32).max


def is_traced(*values: Any) -> bool:
    """Whether a value is abstract, because a JAX transformation traces the code."""
    return any(isinstance(value, jax.core.Tracer) for value in values)  # pyright: ignore


def numbers_of(value: Any) -> np.ndarray | None:
    """Concrete value as a numpy array in the machine's byte order, if it holds numbers, else
    `None`: as of durations, which numpy counts among the integers, and of masked entries."""
    array = np.asarray(value)
    if array.dtype.kind == "m" or np.ma.is_masked(value):
        return None
    if array.dtype != object:
        numeric = jnp.issubdtype(array.dtype, jnp.number) or array.dtype == bool
        return array.astype(array.dtype.newbyteorder("="), copy=False) if numeric else None
    return array if all(map(_is_number, array.flat)) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Number) and not isinstance(value, np.timedelta64)


def _floating(dtype: Any) -> Any:
    """The floating type that JAX has for numbers of a type of numpy's."""
    widest = jnp.result_type(complex if jnp.issubdtype(dtype, jnp.complexfloating) else float)
    narrow = jnp.issubdtype(dtype, jnp.inexact) and dtype.itemsize <= widest.itemsize
    return dtype if narrow else widest


def _narrowed(values: np.ndarray, dtype: Any) -> np.ndarray:
    """The same numbers in a floating type.

    **Raises:** `ValueError` where a finite one is beyond it.
    """
    if values.dtype == dtype:
        return values
    try:
        with np.errstate(over="ignore"):
            cast = values.astype(dtype)
        wide = values.astype(float) if values.dtype == object else values
        beyond = np.isfinite(wide) & ~np.isfinite(cast)
    except OverflowError:  # a number of Python's beyond all types
        most = float(jnp.finfo(dtype).max)
        beyond = np.array([not -most <= x <= most for x in values.flat])
        beyond, cast = beyond.reshape(values.shape), values
    if beyond.any():
        name, most = np.dtype(dtype).name, float(jnp.finfo(dtype).max)
        shown = str(values[beyond][0])
        shown = shown if len(shown) <= 30 else f"{shown[:6]}... ({len(shown)} digits)"
        raise ValueError(f"{shown} is beyond {name}, which ends at {most:.3g}.")
    return cast


def as_floating(value: ArrayLike | Any) -> Array:
    """`value` as a floating (or complex) array; numbers of Python's remain weakly typed.

    **Raises:** `ValueError` where a finite number is beyond the type.
    """
    if isinstance(value, list | tuple) and any(
        isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(value)
    ):  # numpy cannot hold what is traced
        value = jnp.asarray(jax.tree.map(as_floating, value))
    if not isinstance(value, jax.Array):
        array = numbers_of(value)
        if array is not None:
            narrow = _narrowed(array, _floating(array.dtype))
            weak = type(value) in (float, complex)  # numpy's own derive from them
            value = value if weak else float(value) if type(value) is int else narrow
        elif np.ma.is_masked(value):
            raise ValueError("masked entries are no numbers: fill them.")
    value = jnp.asarray(value)
    exact = not jnp.issubdtype(value.dtype, jnp.inexact)
    return value.astype(jnp.result_type(float)) if exact else value


def at_least_single(array: Array) -> Array:
    """A floating array in single precision at least: linear algebra knows no half precision."""
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))


def cast_times(name: str, times: np.ndarray, dtype: Any) -> np.ndarray:
    """Times [...] cast to a floating type. Whole numbers (ticks of a clock) that differ still do,
    and most others: those are rounded as any number is.

    **Raises:** `ValueError` where they do not, or a finite one is beyond the type.
    """
    try:
        cast = _narrowed(times, dtype)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if cast.dtype == times.dtype or not times.size:
        return cast
    rounded = jnp.issubdtype(times.dtype, jnp.inexact)
    if not rounded and max(-int(times.min()), int(times.max())) <= int(2 / jnp.finfo(dtype).eps):
        return cast
    before, after = len(np.unique(times)), len(np.unique(cast))
    if before - after > (before // 2 if rounded else 0):
        raise ValueError(
            f"{name}: of {before} different times {before - after} become one with another in "
            f"{cast.dtype}. Count them from a later start, or enable double precision."
        )
    return cast


def as_times(times: ArrayLike | Any, name: str = "times") -> Float[Array, "..."]:
    """Times as a floating array; concrete ones are checked: see `cast_times`.

    **Raises:** `ValueError` with the name where they are not real numbers, or do not fit the type.
    """
    floating = isinstance(times, jax.Array) and jnp.issubdtype(times.dtype, jnp.floating)
    if floating or is_traced(*jax.tree.leaves(times)):
        result = as_floating(times)
        if jnp.iscomplexobj(result):
            raise ValueError(f"{name} must be real numbers, got {result.dtype}.")
    else:
        try:
            values = numbers_of(times)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} must be real numbers in one row of them.") from error
        if values is None or jnp.issubdtype(values.dtype, jnp.complexfloating):
            raise ValueError(f"{name} must be real numbers, got {np.asarray(times).dtype}.")
        result = jnp.asarray(cast_times(name, values, _floating(values.dtype)))
    return jnp.asarray(result, result.dtype)


def _check_whole(array: Any, name: str) -> None:
    integral = jnp.issubdtype(array.dtype, jnp.integer) and array.dtype.kind != "m"
    whole = integral or (
        array.dtype == object and all(isinstance(x, numbers.Integral) for x in array.flat)
    )
    if array.size and not whole:
        raise ValueError(f"{name} must be whole numbers, got {array.dtype}.")


def known_indices(values: ArrayLike | Any, name: str) -> Int[np.ndarray, "..."]:
    """Concrete indices as a numpy array of int32; an empty one may be of any type.

    **Raises:** `ValueError` with the name where they are not whole, or beyond them.
    """
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be whole numbers in rows of one length.") from error
    if np.ma.is_masked(values):
        raise ValueError(f"{name} must be whole numbers, got masked entries: fill them.")
    _check_whole(array, name)
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    if low < _LEAST or high > _MOST:
        raise ValueError(f"{name} must be within {_LEAST}..{_MOST}, got {low}..{high}.")
    return array.astype(np.int32)


def as_indices(values: ArrayLike | Any, name: str) -> Int[Array, "..."]:
    """Indices as an array of int32. What is traced and beyond its range is clipped to it.

    **Raises:** `ValueError` as `known_indices`.
    """
    if not is_traced(*jax.tree.leaves(values)):
        return jnp.asarray(known_indices(values, name))
    array = jnp.asarray(values)
    _check_whole(array, name)
    if array.size and jnp.iinfo(array.dtype).max > _MOST:
        array = jnp.clip(array, max(_LEAST, int(jnp.iinfo(array.dtype).min)), _MOST)
    return array.astype(jnp.int32)


def as_size(value: Any, name: str, least: int = 0, most: int | None = _MOST) -> int:
    """A size as Python's int, which compares and hashes as a static field must.

    **Raises:** `ValueError` with the name where it is not whole, below `least` or above `most`
    (by default what arrays can be indexed by).
    """
    try:
        number = operator.index(value)
    except TypeError:
        shown = repr(value)
        shown = shown if len(shown) <= 60 else f"an object of type {type(value).__name__}"
        raise ValueError(f"{name} must be a whole number, got {shown}.") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}.")
    if most is not None and number > most:
        raise ValueError(f"{name} must be at most {most}, got {number}.")
    return int(number)


def choose(which: Bool[Array, ""], yes: PyTree, no: PyTree) -> PyTree:
    """Select: the tree `yes` where the mask `which` holds, else `no`."""
    return jax.tree.map(lambda a, b: jnp.where(which, a, b), yes, no)


def sized(name: str, least: int = 0) -> Callable[[Any], Any]:
    """Converter of a static field that holds a size of at least `least`, or `None` for none."""
    return lambda value: None if value is None else as_size(value, name, least)
