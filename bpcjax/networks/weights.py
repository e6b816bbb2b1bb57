"""Connection weights: linear maps from spikes to the weighted sums at their targets."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, SupportsIndex

import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, Key

from .. import _bits
from .._arrays import as_indices, as_size, known_indices, sized
from .._require import counts, floating, key as one_key, scalar
from ..system import Module, as_parameter, is_traced, parameter


class AbstractWeights(Module):
    """Connection weights: a linear map from spikes [pre] to their targets [post]."""

    @abstractmethod
    def __call__(self, spikes: Float[Array, " pre"]) -> Float[Array, " post"]:
        """The weighted sum of the spikes at each target."""

    @abstractmethod
    def shape(self) -> tuple[int | None, int | None]:
        """The numbers of sources and targets; `None` where any number will do."""

    def spread_parts(self, arrivals: Float[Array, "pre parts"]) -> Float[Array, " post"]:
        """Weighted sums at the targets where each connection of a source has its own arrivals.

        **Raises:** `ValueError` if the map has no single connections.
        """
        raise ValueError(
            f"delay: {type(self).__name__} has no single connections; give one delay for all, or "
            "one for each source [pre, 1]."
        )

    def parts(self) -> int | None:
        """The number of connections of a source that may have delays of their own."""
        return None


class Dense(AbstractWeights):
    """Dense weights: a matrix [pre, post]."""

    weights: Float[Array, "pre post"] = parameter()

    def __check_init__(self) -> None:
        if self.weights.ndim != 2:
            raise ValueError(
                "weights must be a matrix [pre, post] or a callable, got shape "
                f"{self.weights.shape}."
            )

    def __call__(self, spikes):
        spikes = _arriving(spikes, self.weights.shape[0])
        return _matrix(spikes, self.weights.astype(spikes.dtype))

    def shape(self):
        return self.weights.shape

    def spread_parts(self, arrivals):
        return (arrivals * self.weights).sum(0)

    def parts(self):
        return self.weights.shape[1]


def as_weights(name: str) -> Callable[[Any], Callable]:
    """Converter of a field that holds a linear callable, or a matrix [pre, post]."""

    def convert(weights: Any) -> Callable:
        if isinstance(weights, type):
            raise ValueError(f"{name} must be a matrix or a callable object, got a class.")
        if callable(weights):
            return weights
        try:
            return Dense(as_parameter(weights, name))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    return convert


class OneToOne(AbstractWeights):
    """One-to-one connections: each source has one target, that of its own index, with the given
    weight."""

    weight: Float[Array, "*n"] = parameter()

    def __check_init__(self) -> None:
        if self.weight.ndim > 1:
            raise ValueError(
                f"weight must be one number, or one a source, got {self.weight.shape}."
            )

    def __call__(self, spikes):
        weight = jnp.asarray(self.weight)
        return _arriving(spikes, *weight.shape) * weight

    def shape(self):
        n = self.weight.shape[0] if self.weight.ndim else None
        return n, n


class Lateral(AbstractWeights):
    """All-to-all lateral connections with one weight, none from a neuron to itself."""

    weight: Float[Array, ""] = parameter()

    def __call__(self, spikes):
        spikes = _arriving(spikes)
        return self.weight * (spikes.sum() - spikes)

    def shape(self):
        return None, None


def _extent(extent: Any) -> tuple[int, ...]:
    return counts("extent", extent, 1)


class Convolution(AbstractWeights):
    """A discrete convolution of `channels` maps of the given `extent`, flattened in that order.

    `kernel` [out, channels, *window]; `stride` in every direction; no padding. The order of
    indices is that of `jax.lax.conv`: a cross-correlation, as in the convolutional networks.
    """

    kernel: Float[Array, "..."] = parameter()
    extent: tuple[int, ...] = eqx.field(  # pyright: ignore[reportGeneralTypeIssues]
        static=True, converter=_extent
    )
    stride: int = eqx.field(static=True, converter=sized("stride", 1), default=1)

    def __check_init__(self) -> None:
        if self.kernel.ndim != len(self.extent) + 2:
            raise ValueError(
                f"kernel must have shape [out, channels, *window] with a window in "
                f"{len(self.extent)} dimensions as extent has, got {self.kernel.shape}."
            )
        if 0 in self.kernel.shape:
            raise ValueError(f"kernel must not be empty, got shape {self.kernel.shape}.")
        if any(k > n for k, n in zip(self.kernel.shape[2:], self.extent, strict=True)):
            raise ValueError(f"kernel {self.kernel.shape} is larger than extent {self.extent}.")

    def __call__(self, spikes):
        spikes = _arriving(spikes, self.shape()[0])
        maps = spikes.reshape(1, self.kernel.shape[1], *self.extent)
        strides = (self.stride,) * len(self.extent)
        return lax.conv(maps, self.kernel.astype(maps.dtype), strides, "VALID").ravel()

    def shape(self):
        out, channels, *window = self.kernel.shape
        ends = [(n - k) // self.stride + 1 for n, k in zip(self.extent, window, strict=True)]
        return channels * int(np.prod(self.extent)), out * int(np.prod(ends))


class Sparse(AbstractWeights):
    """Sparse weights, a list of connections for each source: `targets` [pre, parts] and their
    `weights`.

    Rows are padded with the target `post`, which is nobody. Only the rows of neurons that spike
    are read, one after another; derivatives go through all connections.

    **Raises:** `ValueError` if the arrays do not match, or a target is not one (where targets are
    traced its weight is NaN, which a solve reports as a bad parameter).
    """

    targets: Int[Array, "pre parts"]
    weights: Float[Array, "pre parts"] = parameter()
    post: int = eqx.field(static=True, converter=sized("post"))  # pyright: ignore[reportGeneralTypeIssues]

    def __init__(self, targets: ArrayLike, weights: ArrayLike, post: SupportsIndex):
        targets, weights = as_indices(targets, "targets"), as_parameter(weights, "weights")
        post = as_size(post, "post")
        if targets.ndim != 2:
            raise ValueError(f"targets must be [pre, parts], got shape {targets.shape}.")
        concrete = not is_traced(targets) and targets.size
        if concrete and not 0 <= int(targets.min()) <= int(targets.max()) <= post:
            raise ValueError(
                f"targets must be in 0..{post - 1} for post={post}, or {post} for nobody, got "
                f"{targets.min()}..{targets.max()}."
            )
        if weights.ndim not in (0, 2) or any(
            w not in (1, t) for w, t in zip(weights.shape, targets.shape, strict=False)
        ):
            raise ValueError(
                f"weights must be a number or one for each of the targets, {targets.shape}, got "
                f"shape {weights.shape}."
            )
        weights = jnp.broadcast_to(weights, targets.shape)
        if is_traced(targets):  # a weight that is NaN is a bad parameter of the solve
            there = (targets >= 0) & (targets <= post)
            targets, weights = jnp.where(there, targets, post), jnp.where(there, weights, jnp.nan)
        self.targets, self.weights = targets, weights
        self.post = post

    @classmethod
    def from_lists(
        cls, pre: SupportsIndex, post: SupportsIndex, sources, targets, weights
    ) -> "Sparse":
        """Sparse weights from the sources, targets and weights of all connections, one entry each:
        none at all is a map to zero.

        **Raises:** `ValueError` if an index is out of range.
        """
        pre, post = _size(pre, "pre"), as_size(post, "post")
        sources, targets = known_indices(sources, "sources"), known_indices(targets, "targets")
        if sources.ndim != 1 or sources.shape != targets.shape:
            raise ValueError(
                "sources and targets must be two arrays of one length, got shapes "
                f"{sources.shape} and {targets.shape}."
            )
        weights = _known("weights", weights)
        if weights.shape not in ((), sources.shape):
            raise ValueError(
                f"weights must be a number or one for each of the sources, {sources.shape}, got "
                f"shape {weights.shape}."
            )
        weights = np.broadcast_to(weights, sources.shape)
        for name, x, end in (("sources", sources, pre), ("targets", targets, post)):
            if x.size and not ((x >= 0) & (x < end)).all():
                raise ValueError(
                    f"{name} must be in 0..{end - 1} for pre={pre} and post={post}, got "
                    f"{x.min()}..{x.max()}."
                )
        order = np.lexsort((targets, sources))
        sources, targets, weights = sources[order], targets[order], weights[order]
        counts = np.bincount(sources, minlength=pre)
        place = np.arange(sources.size) - np.repeat(np.cumsum(counts) - counts, counts)
        parts = max(int(counts.max(initial=0)), 1)
        if parts > 16:  # so that another draw of a random network has the same shape
            parts = max(parts, min(parts + -parts % 16, post))
        table = np.full((pre, parts), post, np.int32)
        values = np.zeros(table.shape, weights.dtype)
        table[sources, place], values[sources, place] = targets, weights
        return cls(table, values, post)

    @classmethod
    def from_dense(cls, weights: ArrayLike) -> "Sparse":
        """Sparse weights from the entries of a matrix [pre, post] that are not zero."""
        matrix = _known("weights", weights)
        if matrix.ndim != 2:
            raise ValueError(f"weights must be a matrix [pre, post], got shape {matrix.shape}.")
        sources, targets = np.nonzero(matrix)
        pre, post = matrix.shape
        return cls.from_lists(pre, post, sources, targets, matrix[sources, targets])

    @classmethod
    def random(
        cls,
        key: Key[Array, ""],
        pre: SupportsIndex,
        post: SupportsIndex,
        probability: float,
        weight: Any,
    ):
        """Random connections: each of the `pre * post` is there with the given probability."""
        probability = scalar("probability", probability, least=0, most=1)
        pre, post, random = _size(pre, "pre"), _size(post, "post"), _numpy_random(key)
        weight = _known_number("weight", weight)
        counts = random.binomial(post, probability, pre)
        rows = [random.choice(post, n, replace=False, shuffle=False) for n in counts]
        sources = np.repeat(np.arange(pre), counts)
        targets = np.concatenate([*rows, np.zeros(0, int)])
        return cls.from_lists(pre, post, sources, targets, weight)

    @classmethod
    def fixed_in(
        cls,
        key: Key[Array, ""],
        pre: SupportsIndex,
        post: SupportsIndex,
        count: SupportsIndex,
        weight: Any,
    ):
        """Fixed in-degree: each target has `count` sources, drawn with replacement as in NEST."""
        count, weight = _size(count, "count"), _known_number("weight", weight)
        pre, post = _size(pre, "pre", 1 if count else 0), _size(post, "post")
        random = _numpy_random(key)
        if not count:
            return cls.from_lists(pre, post, [], [], weight)
        sources = random.integers(0, pre, (post, count)).ravel()
        targets = np.repeat(np.arange(post), count)
        return cls.from_lists(pre, post, sources, targets, weight)

    def __call__(self, spikes):
        return self._spread(_arriving(spikes, self.targets.shape[0]))

    def shape(self):
        return self.targets.shape[0], self.post

    def spread_parts(self, arrivals):
        return self._spread(arrivals)

    def _spread(self, arrivals):
        zero = jnp.zeros(self.post, arrivals.dtype)
        return _rows(arrivals, self.weights.astype(zero.dtype), jnp.asarray(self.targets), zero)

    def parts(self):
        return self.targets.shape[1]


def _arriving(spikes: Any, size: int | str = "pre") -> Any:
    """Spikes of so many sources, as floating numbers."""
    return floating("spikes", spikes, (size,))


def _numpy_random(key: Key[Array, ""]) -> np.random.Generator:
    one_key("key", key)
    return np.random.default_rng(np.asarray(jax.random.key_data(key)).tolist())


def _size(value: Any, name: str, least: int = 0) -> int:
    """A number of neurons or connections, which memory could hold."""
    return as_size(value, name, least, 2**31 - 1)


def _known(name: str, value: Any) -> np.ndarray:
    """Known numbers as a floating array of numpy's."""
    return np.asarray(floating(name, value))


def _known_number(name: str, value: Any) -> np.ndarray:
    """One known number, not NaN."""
    array = _known(name, value)
    if array.ndim or np.isnan(array):
        raise ValueError(f"{name} must be one number, not NaN, got shape {array.shape}.")
    return array


@jax.custom_jvp
def _matrix(spikes, weights):
    """The product of spikes and a matrix, skipped where there are none."""
    none = jnp.zeros(weights.shape[1], spikes.dtype)
    return lax.cond((spikes != 0).any(), lambda: spikes @ weights, lambda: none)


@_matrix.defjvp
def _matrix_jvp(primals, tangents):  # spikes that are not there may have derivatives
    (spikes, weights), (more_spikes, more_weights) = primals, tangents
    return _matrix(spikes, weights), more_spikes @ weights + spikes @ more_weights


@jax.custom_jvp
def _rows(arrivals, weights, targets, zero):
    """The rows of the sources where something arrives, added to `zero` one after another.

    `arrivals` [pre], or [pre, parts] where connections have their own.
    """
    if not arrivals.shape[0]:
        return zero
    where = arrivals != 0 if arrivals.ndim == 1 else (arrivals != 0).any(1)

    def add(source, total):
        return total.at[targets[source]].add(arrivals[source] * weights[source], mode="drop")

    return _bits.for_each(_bits.pack(where), add, zero)


@_rows.defjvp
def _rows_jvp(primals, tangents):
    arrivals, weights, targets, zero = primals

    def all_rows(arrivals, weights):
        arrivals = arrivals[:, None] if arrivals.ndim == 1 else arrivals
        return zero.at[targets].add(arrivals * weights, mode="drop")

    tangent = all_rows(tangents[0], weights) + all_rows(arrivals, tangents[1])
    return _rows(*primals), tangent
