"""Validation of numbers: arrays of them, single ones, sizes, indices, masks, states."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Inexact, PyTree

from .._arrays import as_floating, as_indices, as_size, is_traced, numbers_of

Shape = Sequence[int | str]  # an axis of that length, or one of any length, by its name
Bound = float | int | None


def require(good: Any, message: str) -> Bool[Array, ""]:
    """Whether `good` holds throughout.

    What is known goes through numpy: that compiles nothing, and stays known within `jit`.

    **Raises:** `ValueError` with the message where it is known not to.
    """
    if is_traced(good):
        return jnp.all(good)
    good = np.asarray(good).all()
    if not good:
        raise ValueError(message)
    return jnp.asarray(good)


def describe(value: Any) -> str:
    """A value in few words: what it is, or its type."""
    if np.ma.is_masked(value):
        return "masked entries, which have to be filled first"
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    if dtype is not None and shape is not None:
        return f"an array of {dtype}" if len(shape) else f"a number of {dtype}"
    if value is None or isinstance(value, bool | int | float | complex | str):
        text = repr(value)
        return text if len(text) <= 40 else text[:37] + "..."
    return f"an object of type {type(value).__name__}"


def _check_numbers(name: str, value: Any, real: bool, one: bool = False) -> None:
    """Refuse by name what holds no numbers, or complex ones."""
    what = "a number" if one else "real numbers" if real else "numbers"
    if isinstance(value, list | tuple) and any(map(is_array, jax.tree.leaves(value))):
        for leaf in jax.tree.leaves(value):
            _check_numbers(name, leaf, real)
        return
    try:
        array: Any = value if is_array(value) else numbers_of(value)
    except (TypeError, ValueError) as error:
        rows = " in rows of one length" if isinstance(value, list | tuple) else ""
        raise ValueError(f"{name} must be {what}{rows}, got {describe(value)}.") from error
    if array is None or jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        raise ValueError(f"{name} must be {what}, got {describe(value)}.")
    if not real:
        return
    if jnp.iscomplexobj(array) or (
        array.dtype.kind == "O" and any(isinstance(x, complex) for x in array.flat)
    ):
        raise ValueError(f"{name} must be real, got complex numbers: half of them would be lost.")


def is_array(value: Any) -> bool:
    """Whether a value is an array of JAX, known or traced."""
    return isinstance(value, jax.Array)


def _check_shape(name: str, shape: tuple[int, ...], wanted: Shape, like: str = "") -> None:
    fits = len(shape) == len(wanted) and all(
        isinstance(w, str) or n == w for n, w in zip(shape, wanted, strict=True)
    )
    if not fits:
        axes = ", ".join(map(str, wanted))
        what = f"have shape [{axes}]" if wanted else "be a number"
        of = f", as {like} has it" if like else ""
        raise ValueError(f"{name} must {what}{of}, got shape {shape}.")


def _check_bounds(
    name: str, value: Any, finite: bool, least: Bound, above: Bound,
    most: Bound, below: Bound,
) -> None:  # fmt: skip
    """Refuse by name known values out of bounds; NaN is within none."""
    if is_traced(value):
        return
    array = np.asarray(value)
    if array.dtype == object:  # as of fractions
        array = array.astype(float)
    good = np.ones(array.shape, bool)
    for bound, within in (
        (least, lambda: array >= least),
        (above, lambda: array > above),
        (most, lambda: array <= most),
        (below, lambda: array < below),
        (finite or None, lambda: np.isfinite(array)),
    ):
        good = good & (True if bound is None else within())
    if not good.all():
        worst = array[~good].flat[0] if array.ndim else array
        what = _words(finite, least, above, most, below)
        raise ValueError(f"{name} must {what}, got {worst}. Pass a value in that range.")


def _words(finite: bool, least: Bound, above: Bound, most: Bound, below: Bound) -> str:
    """What a number must be or do, to be within bounds."""
    low, high = (above if least is None else least), (below if most is None else most)
    if low is not None and high is not None:
        return (
            f"be in {'(' if least is None else '['}{low:g}, {high:g}{')' if most is None else ']'}"
        )
    if low == 0 and least is not None and not finite:
        return "not be negative"
    ends = ["finite"] if finite else []
    if low is not None:
        named: Any = {(0, True): "positive", (0, False): "not negative"}
        plain = f"{'above' if least is None else 'at least'} {low:g}"
        ends = [named.get((low, least is None), plain), *ends]
    if high is not None:
        ends = [f"{'below' if most is None else 'at most'} {high:g}", *ends]
    return f"be {' and '.join(ends)}"


def floating(
    name: str,
    value: Any,
    shape: Shape | None = None,
    *,
    like: str = "",
    real: bool = True,
    finite: bool = False,
    least: Bound = None,
    above: Bound = None,
    most: Bound = None,
    below: Bound = None,
) -> Inexact[Array, "..."]:
    """`value` as a floating array of the given shape, which is that of `like`, within bounds.

    **Raises:** `ValueError` with the name where it holds no numbers, complex ones (if `real`), has
    another shape, or is known to be out of bounds.
    """
    _check_numbers(name, value, real, shape == ())
    try:
        array = as_floating(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error
    if shape is not None:
        _check_shape(name, array.shape, shape, like)
    if finite or any(bound is not None for bound in (least, above, most, below)):
        known = value if isinstance(value, float | int | np.ndarray) else array
        _check_bounds(name, known, finite, least, above, most, below)
    return array


def plain(name: str, value: Any, *, real: bool = True) -> np.ndarray:
    """`value`, known, as an array of numpy's in double precision.

    **Raises:** `ValueError` with the name where it holds no numbers, or complex ones (if `real`).
    """
    _check_numbers(name, value, real)
    return np.asarray(value, float if real else None)


def as_real(value: Any, dtype: Any, name: str) -> Float[Array, "..."]:
    """`value` as an array of the real type `dtype`, in which a number beyond it is infinite.

    **Raises:** `ValueError` with the name where it holds no numbers, or complex ones.
    """
    _check_numbers(name, value, real=True)
    return jnp.asarray(numbers_of(value) if isinstance(value, np.ndarray) else value, dtype)


def number(name: str, value: Any, **bounds: Any) -> Any:
    """`value` as one floating number; bounds and errors as of `floating`."""
    return floating(name, value, (), **bounds)


def scalar(name: str, value: Any, **bounds: Any) -> float:
    """`value` as a known number of Python's; bounds as of `floating`.

    **Raises:** `ValueError` with the name as `floating`, and where it is traced.
    """
    if is_traced(value):
        raise ValueError(f"{name} must be one known number, not one that is traced.")
    if not isinstance(value, float | int):
        number(name, value)
    elif isinstance(value, int) and abs(value) > 2**1023:
        raise ValueError(f"{name}: {describe(value)} is beyond float64.")
    result = float(value)
    _check_bounds(name, result, **_every(bounds))
    return result


def _every(bounds: dict[str, Any]) -> dict[str, Any]:
    none = dict(finite=False, least=None, above=None, most=None, below=None)
    return none | bounds


def count(name: str, value: Any, least: int = 0, most: int | None = 2**31 - 1) -> int:
    """`value` as a size, one of Python's integers.

    **Raises:** `ValueError` with the name where it is not whole, or out of bounds.
    """
    return as_size(value, name, least, most)


def sizes(least: int = 0, **values: Any) -> tuple[int, ...]:
    """Each of `values` as a size of at least `least`; errors as of `count`."""
    return tuple(count(name, value, least) for name, value in values.items())


def integer(name: str, value: Any) -> int:
    """`value` as one of Python's integers, of any sign.

    **Raises:** `ValueError` with the name where it is not whole.
    """
    return as_size(value, name, -(2**31))


def counts(name: str, values: Any, few: int = 0, least: int = 1) -> Any:
    """`values` as a tuple of `few` sizes or more, each of at least `least`.

    **Raises:** `ValueError` with the name where they are not.
    """
    if not isinstance(values, tuple | list):
        raise ValueError(f"{name} must be a tuple of sizes, got {describe(values)}.")
    if len(values) < few:
        raise ValueError(f"{name} must be {few} sizes or more, got {len(values)}.")
    return tuple(count(name, value, least) for value in values)


def rising(low_name: str, low: Any, high_name: str, high: Any) -> None:
    """Raise `ValueError` with both names where `low` is known not to be below `high`."""
    if not is_traced(low, high) and (np.asarray(low) >= np.asarray(high)).any():
        raise ValueError(f"{low_name} must be below {high_name}, got {low} and {high}.")


def indices(name: str, value: Any, size: int | None = None, shape: Shape | None = None) -> Any:
    """`value` as indices, where a `size` is given of so many.

    **Raises:** `ValueError` with the name where they are not whole, or known to be out of range.
    """
    _check_numbers(name, value, real=True)
    array = as_indices(value, name)
    if shape is not None:
        _check_shape(name, array.shape, shape)
    if size is not None and not is_traced(array) and array.size:
        known = np.asarray(array)
        if known.min() < 0 or known.max() >= size:
            raise ValueError(f"{name} must be in 0..{size - 1}, got {known.min()}..{known.max()}.")
    return array


def mask(name: str, value: Any, shape: Shape | None = None, like: str = "") -> Bool[Array, "..."]:
    """`value` as a mask, where a shape is given, that of `like`, of that one.

    **Raises:** `ValueError` with the name where it holds no booleans, or has another shape.
    """
    known = value if is_array(value) else np.asarray(value)
    if known.dtype != bool or np.ma.is_masked(value):
        raise ValueError(f"{name} must be a mask of booleans, got {describe(value)}.")
    if shape is not None:
        _check_shape(name, known.shape, shape, like)
    return jnp.asarray(known)


def state(name: str, tree: PyTree, *, real: bool = False, finite: bool = False) -> PyTree:
    """A pytree with floating arrays for its numbers.

    **Raises:** `ValueError` with the name where a leaf holds no numbers, or there is none.
    """
    if not jax.tree.leaves(tree):
        raise ValueError(f"{name} has no arrays in it: pass a state.")
    return jax.tree.map(lambda leaf: floating(name, leaf, real=real, finite=finite), tree)
