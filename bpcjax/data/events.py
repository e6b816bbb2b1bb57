"""Event recordings of unequal length: from an event camera, a cochlea, or a user's own."""

import math
from collections.abc import Sequence
from typing import Any, SupportsIndex

import equinox as eqx
import numpy as np
from jaxtyping import Float, Integer

from .._arrays import as_size, cast_times
from ..spikes import Spikes
from .files import DataError
from .ragged import offsets_of, taken

_FLOATING = np.dtype("float16"), np.dtype("float32"), np.dtype("float64")


class Events(eqx.Module):
    """Event recordings one after another: number `i` is `times[offsets[i]:offsets[i + 1]]`.

    Times are sorted within a recording, in ms unless they are a user's own. A channel is an index
    into a grid of the given `shape` in C order: `np.unravel_index(channels, shape)`. `labels` has
    one entry a recording, or is `None`.

    `events[i]` is the pair of times and channels of one recording; `events[2:5]` and
    `events[[3, 1]]` are `Events` of some. `padded` gives arrays of equal length.
    """

    times: Float[np.ndarray, " total"]
    channels: Integer[np.ndarray, " total"]
    offsets: Integer[np.ndarray, " ends"]
    labels: np.ndarray | None
    shape: tuple[int, ...] = eqx.field(static=True)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int | np.integer):
            start, stop = self.offsets[:-1][index], self.offsets[1:][index]
            return self.times[start:stop], self.channels[start:stop]
        place, offsets = taken(self.offsets, index)
        labels = None if self.labels is None else self.labels[index]
        return Events(self.times[place], self.channels[place], offsets, labels, self.shape)

    @property
    def counts(self) -> Integer[np.ndarray, " n"]:
        """The number of events of each recording [recordings]."""
        return np.diff(self.offsets)

    @property
    def size(self) -> int:
        """The number of channels: the product of `shape`."""
        return math.prod(self.shape)

    def between(self, start: float, stop: float) -> "Events":
        """The events at times in [start, stop); every recording stays, its times unchanged."""
        keep = (self.times >= start) & (self.times < stop)
        before = np.concatenate([[0], np.cumsum(keep)])
        offsets = before[self.offsets]
        return Events(self.times[keep], self.channels[keep], offsets, self.labels, self.shape)

    def padded(self, room: int | None = None) -> Spikes:
        """A row of `Spikes` a recording: times and neurons [n, room], counts [n]; neurons are the
        channels.

        `room` defaults to the longest recording.

        **Raises:** `DataError` if a recording has more events than `room`.
        """
        counts = self.counts
        longest = int(counts.max(initial=0))
        room = longest if room is None else room
        if longest > room:
            raise DataError(
                f"room: recording {counts.argmax()} has {longest} events, but room is {room}. Pass "
                f"room={longest}, or take a part of each recording with between(start, stop)."
            )
        times = np.full((len(self), room), np.inf, self.times.dtype)
        channels = np.full((len(self), room), -1, np.int32)
        filled = np.arange(room) < counts[:, None]
        times[filled], channels[filled] = self.times, self.channels
        return Spikes(times, channels, counts.astype(np.int32))


def _row(name: str, index: int, row: Any) -> np.ndarray:
    array = np.asarray(row)
    if array.size == 0:
        array = array.reshape(-1).astype(int if name == "channels" else float)
    if array.ndim != 1:
        raise DataError(
            f"{name}[{index}] must have one axis, its events; it has the shape {array.shape}. Pass "
            f"a list with one array of {name} for each recording."
        )
    return array


def _flat_times(rows: list[np.ndarray], offsets: np.ndarray) -> np.ndarray:
    """Times one after another, in the floating type that all of them have, or in double
    precision."""
    kinds = {row.dtype for row in rows if row.size}
    for kind in kinds:
        if not np.issubdtype(kind, np.number) or np.issubdtype(kind, np.complexfloating):
            raise DataError(f"times must be real numbers, got {kind}.")
    uniform = len(kinds) == 1 and all(kind in _FLOATING for kind in kinds)
    dtype = kinds.pop() if uniform else np.dtype(float)
    try:
        own = [cast_times(f"times[{i}]", row, dtype) for i, row in enumerate(rows)]
    except ValueError as error:
        raise DataError(str(error)) from None
    times = np.concatenate([*own, np.zeros(0, dtype)])
    wrong = np.flatnonzero(~np.isfinite(times))
    if wrong.size:
        index = np.searchsorted(offsets, wrong[0], side="right") - 1
        raise DataError(
            f"times[{index}] has the entry {times[wrong[0]]} at {wrong[0] - offsets[index]}. Leave "
            "out what is not an event: rows may differ in length."
        )
    return times


def _flat_channels(rows: list[np.ndarray], offsets: np.ndarray) -> np.ndarray:
    for index, row in enumerate(rows):
        if not np.issubdtype(row.dtype, np.integer):
            raise DataError(
                f"channels[{index}] must be integers, got {row.dtype}. Pass channel indices from 0."
            )
    channels = np.concatenate([*rows, np.zeros(0, np.int32)])
    wrong = np.flatnonzero(channels < 0)
    if wrong.size:
        index = np.searchsorted(offsets, wrong[0], side="right") - 1
        raise DataError(
            f"channels[{index}] has the entry {channels[wrong[0]]} at {wrong[0] - offsets[index]}. "
            "Number channels from 0; leave out padding: rows may differ in length."
        )
    if channels.max(initial=0) > np.iinfo(np.int32).max:
        raise DataError(f"channels has the entry {channels.max()}. Number channels from 0 upward.")
    return channels.astype(np.int32)


def _grid(shape: Any) -> tuple[int, ...]:
    try:
        return tuple(as_size(extent, "shape") for extent in np.atleast_1d(np.asarray(shape)))
    except ValueError as error:
        raise DataError(f"{error} Pass the extents of the whole grid.") from None


def events(
    times: Sequence[Any],
    channels: Sequence[Any],
    labels: Any = None,
    *,
    shape: SupportsIndex | tuple[SupportsIndex, ...] | None = None,
) -> Events:
    """Event recordings of a user's own: `times[i]` and `channels[i]` are the events of recording
    `i`.

    Recordings may differ in length or be empty. Times are finite numbers in the time unit of the
    model to be fed (ms for the neurons here); unsorted ones are sorted, each with its channel,
    simultaneous ones keep their order. Channels are integers from 0, any number of them; `shape`
    is their number, or a grid whose C-order index they are (default: up to the largest that
    occurs). `labels` has an entry for each recording.

    **Raises:** `DataError` naming the argument and the recording.
    """
    if len(times) != len(channels):
        raise DataError(
            f"channels has {len(channels)} recordings, times has {len(times)}. Pass one array of "
            "each for every recording."
        )
    time_rows = [_row("times", i, row) for i, row in enumerate(times)]
    channel_rows = [_row("channels", i, row) for i, row in enumerate(channels)]
    for i, (a, b) in enumerate(zip(time_rows, channel_rows, strict=True)):
        if len(a) != len(b):
            raise DataError(
                f"channels[{i}] has {len(b)} entries, times[{i}] has {len(a)}. Give each event "
                "both a time and a channel."
            )
    offsets = offsets_of(np.array([len(row) for row in time_rows], int))
    flat_times = _flat_times(time_rows, offsets)
    flat_channels = _flat_channels(channel_rows, offsets)
    recording = np.repeat(np.arange(len(time_rows)), np.diff(offsets))
    order = np.lexsort((flat_times, recording))  # stable
    largest = int(flat_channels.max(initial=-1))
    grid = _grid(largest + 1 if shape is None else shape)
    if largest >= math.prod(grid):
        raise DataError(
            f"shape: {grid} has {math.prod(grid)} channels, but channel {largest} occurs. Pass the "
            "whole grid, or leave shape out."
        )
    if labels is not None:
        labels = np.asarray(labels)
        if labels.ndim == 0 or len(labels) != len(time_rows):
            raise DataError(
                f"labels has the shape {labels.shape}, but there are {len(time_rows)} recordings. "
                "Pass one label for each."
            )
    return Events(flat_times[order], flat_channels[order], offsets, labels, grid)
