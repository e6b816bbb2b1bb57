"""Timing of competing functions in turn, so that a drift of the machine hits all alike."""

import time
from collections.abc import Callable

import jax
import numpy as np


def compile_seconds(fn: Callable, *args) -> tuple[float, float]:
    """Seconds to trace (and lower) and to compile `fn` at `args`."""
    start = time.perf_counter()
    lowered = jax.jit(fn).lower(*args)
    traced = time.perf_counter()
    lowered.compile()
    return traced - start, time.perf_counter() - traced


def interleaved(fns: dict[str, Callable], *args, rounds: int = 9) -> dict[str, float]:
    """Median seconds of each function, jitted and warm, called in turn for `rounds` rounds."""
    ready = {name: jax.jit(fn) for name, fn in fns.items()}
    for fn in ready.values():
        jax.block_until_ready(fn(*args))
    seconds: dict[str, list[float]] = {name: [] for name in fns}
    for _ in range(rounds):
        for name, fn in ready.items():
            start = time.perf_counter()
            jax.block_until_ready(fn(*args))
            seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(values)) for name, values in seconds.items()}
