"""Hostile values in the place of a valid argument, and what a call with one of them ends as.

Each argument of a valid call is replaced by values of other types, shapes and ranges. A call then
ends right (an equivalent value gives the same result), refused (a short error that names the
argument), or marked (`ok` false, NaN in the result); else it is silent (a wrong answer) or
obscure (an error that does not say which argument, or at length).
"""

import linecache
import re
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc

PACKAGE = str(Path(bpc.__file__).parent)
REFUSALS = (ValueError, TypeError, IndexError, RuntimeError, NotImplementedError)
SECONDS = 20  # after which a call hangs


class Hostile(NamedTuple):
    """A hostile value: the `kind` of hostility, and, where it stands for the same as another
    value, that one (`like`)."""

    kind: str
    value: Any
    like: Any = None


class _Nobody:
    """An object of no use."""


def _frozen(array: np.ndarray) -> np.ndarray:
    array = np.array(array)
    array.flags.writeable = False
    return array


def _grown(array: np.ndarray) -> np.ndarray:
    """One more entry along the last axis."""
    return np.concatenate([array, array[..., -1:]], axis=-1)


def _with_first(array: np.ndarray, value: Any) -> np.ndarray:
    array = np.array(array)
    array.flat[0] = value
    return array


KINDS = (  # never right where a number, an array, or an object of the package is meant
    Hostile("string", "text"),
    Hostile("none", None),
    Hostile("object", _Nobody()),
)


def of_array(value: np.ndarray) -> Iterator[Hostile]:
    """In the place of an array of floating numbers."""
    whole = np.round(value)
    yield Hostile("list", value.tolist(), value)
    yield Hostile("frozen", _frozen(value), value)
    yield Hostile("integer", whole.astype(int), whole)
    yield from KINDS
    yield Hostile("complex", value + 1j)
    yield Hostile("strings", np.full(value.shape, "a"))
    yield Hostile("objects", np.full(value.shape, None))
    yield Hostile("ragged", [[1.0], [1.0, 2.0]])
    yield Hostile("wide", _grown(value))
    yield Hostile("shape", value[None])
    yield Hostile("shape", value.flat[0])
    yield Hostile("empty", value[:0])
    yield Hostile("nan", _with_first(value, np.nan))
    yield Hostile("infinite", _with_first(value, np.inf))
    yield Hostile("infinite", _with_first(value, -np.inf))
    yield Hostile("negative", -np.abs(value) - 1)
    yield Hostile("huge", 1e300 * (1 + np.abs(value)))


def of_number(value: float) -> Iterator[Hostile]:
    """In the place of a number."""
    whole = max(round(value), 1)
    yield Hostile("scalar", np.float64(value), value)
    yield Hostile("scalar", np.asarray(value), value)
    yield Hostile("integer", whole, float(whole))
    yield from KINDS
    yield Hostile("complex", value + 1j)
    yield Hostile("shape", np.full(2, value))
    yield Hostile("empty", np.zeros(0))
    yield Hostile("nan", np.nan)
    yield Hostile("infinite", np.inf)
    yield Hostile("infinite", -np.inf)
    yield Hostile("negative", -1.0 - abs(value))
    yield Hostile("zero", 0.0)
    yield Hostile("huge", 1e300)
    yield Hostile("huge", 10**400)


def of_indices(value: np.ndarray) -> Iterator[Hostile]:
    """In the place of an array of indices."""
    yield Hostile("list", value.tolist(), value)
    yield Hostile("frozen", _frozen(value), value)
    yield Hostile("scalar", value.astype(np.int64), value)
    yield from KINDS
    yield Hostile("complex", value + 1j)
    yield Hostile("fraction", value + 0.5)
    yield Hostile("nan", _with_first(value.astype(float), np.nan))
    yield Hostile("range", value + 10**6)
    yield Hostile("range", value - 10**3)
    yield Hostile("range", value.astype(object) + 2**40)
    yield Hostile("wide", _grown(value))
    yield Hostile("shape", value[None])
    yield Hostile("shape", value.flat[0])


def of_size(value: int) -> Iterator[Hostile]:
    """In the place of a size or an index."""
    yield Hostile("scalar", np.int64(value), value)
    yield from KINDS
    yield Hostile("fraction", value + 0.5)
    yield Hostile("fraction", np.nan)
    yield Hostile("fraction", np.inf)
    yield Hostile("complex", value + 1j)
    yield Hostile("shape", np.array([value, value]))
    yield Hostile("zero", 0)
    yield Hostile("count", -1)
    yield Hostile("count", -(10**3))
    yield Hostile("much", 10**13)


def of_mask(value: np.ndarray) -> Iterator[Hostile]:
    """In the place of a mask of booleans."""
    yield Hostile("list", value.tolist(), value)
    yield Hostile("frozen", _frozen(value), value)
    yield from KINDS
    yield Hostile("fraction", value + 0.5)
    yield Hostile("wide", _grown(value))
    yield Hostile("shape", value[None])
    yield Hostile("shape", value.flat[0])


def of_key(value: Any) -> Iterator[Hostile]:
    """In the place of a key."""
    yield from KINDS
    yield Hostile("key", 0)
    yield Hostile("key", 0.5)
    yield Hostile("key", np.zeros(3))
    yield Hostile("key", jax.random.split(value, 3))


def of_object(value: Any) -> Iterator[Hostile]:
    """In the place of an object of the package, a function, or a container."""
    yield from KINDS
    yield Hostile("object", 1.0)
    yield Hostile("object", np.ones(3))


def of_state(value: Any) -> Iterator[Hostile]:
    """In the place of a pytree of floating arrays."""

    def each(change: Callable) -> Any:
        return jax.tree.map(lambda x: change(np.asarray(x)), value)

    whole = each(np.round)
    yield Hostile("frozen", each(_frozen), value)
    yield Hostile("integer", each(lambda x: np.round(x).astype(int)), whole)
    yield from KINDS
    yield Hostile("complex", each(lambda x: x + 1j))
    yield Hostile("strings", each(lambda x: np.full(x.shape, "a")))
    yield Hostile("shape", each(lambda x: np.stack([x, x, x], axis=-1)))
    yield Hostile("nan", each(lambda x: _with_first(x, np.nan) if x.size else x))


def is_key(value: Any) -> bool:
    """Whether a value is a typed key of JAX."""
    return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)


def _is_state(value: Any) -> bool:
    leaves = jax.tree.leaves(value)
    plain = isinstance(value, tuple | dict)
    return (
        plain
        and bool(leaves)
        and all(isinstance(x, np.ndarray | jax.Array) and x.dtype.kind == "f" for x in leaves)
    )


def values_for(value: Any) -> Iterator[Hostile]:
    """Hostile values in the place of a valid one; none for flags and names."""
    if isinstance(value, bool | str):
        return iter(())
    if is_key(value):
        return of_key(value)
    if isinstance(value, int):
        return of_size(value)
    if isinstance(value, float):
        return of_number(value)
    if isinstance(value, np.ndarray | jax.Array):
        value = np.asarray(value)
        if value.dtype == bool:
            return of_mask(value)
        if value.dtype.kind in "iu":
            return of_indices(value)
        if value.ndim == 0:
            return of_number(float(value.real))
        return of_array(value)
    return of_state(value) if _is_state(value) else of_object(value)


class Ending(NamedTuple):
    """How a call ended: right, refused, marked, taken, silent, obscure; and what it says."""

    name: str
    text: str = ""


@contextmanager
def _limited() -> Iterator[None]:
    def late(*_: Any) -> None:
        raise TimeoutError("the call hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """What a call returns, or what it raises."""
    try:
        with _limited():
            return jax.block_until_ready(call()), None
    except Exception as error:  # whatever it is, it is the outcome
        return None, error


def _leaves(result: Any) -> list[np.ndarray]:
    leaves = jax.tree.leaves(result)
    return [
        np.asarray(jax.random.key_data(x) if is_key(x) else x)
        for x in leaves
        if isinstance(x, jax.Array | np.ndarray | np.generic | int | float | complex)
    ]


def same(one: Any, other: Any) -> bool:
    """Whether two results hold the same numbers."""
    a, b = _leaves(one), _leaves(other)
    return len(a) == len(b) and all(
        x.shape == y.shape and np.allclose(x, y, rtol=1e-9, atol=1e-12, equal_nan=True)
        if x.dtype.kind in "fciub" and y.dtype.kind in "fciub"
        else (x == y).all()
        for x, y in zip(a, b, strict=True)
    )


def is_marked(result: Any) -> bool:
    """Whether a result says that something is wrong: `ok` is false somewhere, or NaN."""
    try:
        ok = getattr(result, "ok", True)
    except Exception:  # a record of what is no array
        return False
    if not all(np.asarray(x).all() for x in jax.tree.leaves(ok)):
        return True
    return any(x.dtype.kind in "fc" and np.isnan(x).any() for x in _leaves(result))


def names(error: Exception, argument: str) -> bool:
    """Whether an error is of the package's own words, short, and names the argument."""
    frames = traceback.extract_tb(error.__traceback__)
    own = frames[-1].filename.startswith(PACKAGE)
    line = linecache.getline(frames[-1].filename, frames[-1].lineno or 0)
    said = own and line.strip().startswith("raise")
    text = str(error)
    word = argument.removeprefix("_")
    return (
        isinstance(error, REFUSALS)
        and said
        and text.count("\n") < 4
        and re.search(rf"(?<![A-Za-z0-9_]){re.escape(word)}s?(?![A-Za-z0-9])", text) is not None
    )


SURE = ("list", "frozen", "scalar", "integer")  # kinds that stand for a valid value
NEVER = {"string", "object", "strings", "objects", "ragged", "complex", "fraction", "none", "key"}


def ending(
    call: Callable[..., Any],
    arguments: dict[str, Any],
    name: str,
    hostile: Hostile,
    usual: Any,
    free: frozenset[str],
    bars: frozenset[str],
) -> Ending:
    """How the call ends with the hostile value for one argument.

    `usual` is the result of the valid call; `free` are the kinds that are right for this argument,
    `bars` those that must not be taken.
    """

    def by(value: Any) -> tuple[Any, Exception | None]:
        return outcome(lambda: call(**(arguments | {name: value})))

    result, error = by(hostile.value)
    if error is not None:
        if hostile.kind in SURE and hostile.kind not in free:
            like = by(hostile.like)[1] if hostile.kind == "integer" else None
            if hostile.kind != "list" and like is None:
                return Ending("obscure", f"a {hostile.kind} is refused: {_short(error)}")
        if names(error, name):
            return Ending("refused", _short(error))
        return Ending("obscure", _short(error))
    if hostile.like is not None:
        expected = by(hostile.like)[0] if hostile.kind == "integer" else usual
        return Ending("right") if same(result, expected) else Ending("silent", "another result")
    if hostile.kind in free or (hostile.kind == "wide" and "shape" in free):
        return Ending("right")
    if is_marked(result):
        return Ending("marked")
    if hostile.kind in NEVER or hostile.kind in ("wide", "shape", "nan", "range", "count"):
        return Ending("silent", f"gives {str(result)[:80]}")
    return Ending("silent" if hostile.kind in bars else "taken")


def _short(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename.startswith(PACKAGE)]
    at = f"{own[-1].filename[len(PACKAGE) + 1 :]}:{own[-1].lineno}" if own else "?"
    text = " ".join(str(error).split())
    return f"{type(error).__name__} at {at}: {text[:150]}"
