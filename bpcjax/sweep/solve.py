"""Scheduler of a sweep: its chunks, each on a device of its own, side by side."""

import contextlib
import logging
import os
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any

import jax

from .program import Program
from .store import Store


@contextlib.contextmanager
def together(what: str) -> Iterator[None]:
    """Barrier: leave this block when all processes do; an exception here does not hold up the
    others."""
    try:
        yield
    finally:
        if jax.process_count() > 1:
            # Not `sync_global_devices`: its collectives give up on those who wait for long.
            from jax._src.distributed import global_state

            client: Any = global_state.client
            client.wait_at_barrier(f"bpcjax.sweep.{what}", timeout_in_ms=30 * 24 * 3600 * 1000)


def _lanes(program: Program) -> list[int]:
    """Devices by number, each as often as it can work on chunks at the same time.

    A CPU runs one program on about one core; an accelerator computes while another copies.
    Programs with calls of LAPACK or Fourier transforms wait on a CPU for the threads that run
    them, and two at the same time may wait for each other for ever: there one goes at a time.
    """
    count = len(program.devices)
    if program.devices[0].platform == "cpu":
        if program.takes_all_threads:
            return [0]
        each = max(1, cores() // count)
    else:
        each = 2
    return [k for _ in range(each) for k in range(count)]


def cores() -> int:
    """The number of CPU cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def solve(program: Program, store: Store, progress: bool) -> dict[int, str]:
    """Solve the chunks of this process that are not done, and say why some failed."""
    blocks = program.blocks
    own = range(jax.process_index(), len(blocks), jax.process_count())
    todo = store.todo(own)
    reasons: dict[int, str] = {}
    total = sum(blocks.size(k) for k in own)
    initial = total - sum(blocks.size(k) for k in todo)
    free: list[int] = _lanes(program)
    running: dict[Any, tuple[int, int]] = {}

    def work(block: int, device: int, placed) -> str | None:
        try:
            outputs = program(device, placed)
        except Exception as error:  # whatever `run` raises belongs to this chunk
            return _reason(error)
        store.put(block, outputs)
        return None

    # Leaving the pool, in whatever way, waits for the chunks in work, and stores them.
    with _bar(total, initial, progress) as bar, _quiet(), ThreadPoolExecutor(len(free)) as pool:
        if todo:
            program.compile(len(todo))
        bar(0, 0)

        def collect():
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                block, device = running.pop(future)
                free.append(device)
                reason = future.result()
                if reason is not None:
                    reasons[block] = reason
                bar(blocks.size(block), len(reasons))

        for block in todo:
            if not free:
                collect()
            device = free.pop(0)
            # Arguments are made here: a thread has not the configuration of its maker.
            running[pool.submit(work, block, device, program.place(block, device))] = block, device
        while running:
            collect()
    return reasons


@contextlib.contextmanager
def _bar(total: int, initial: int, progress: bool) -> Iterator[Any]:
    """A function of the points just done and of the chunks failed so far."""
    if not progress or jax.process_index() > 0:
        yield lambda points, failed: None
        return
    from tqdm import tqdm

    with tqdm(total=total, initial=initial, desc="sweep", unit="pt", unit_scale=True) as bar:

        def update(points: int, failed: int) -> None:
            bar.set_postfix_str(f"{failed} chunks failed" if failed else "", refresh=False)
            if points:
                bar.update(points)
            else:  # all is compiled: the time left does not count that
                bar.unpause()

        if initial < total:
            bar.set_postfix_str("compiling")
        yield update


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep equinox's errors, which the sweep reports itself, off the log."""

    def keep(record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        return kind is None or "EquinoxRuntimeError" not in kind.__name__

    logger = logging.getLogger("jax._src.callback")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


def _reason(error: Exception) -> str:
    """Message of an exception, without the trace that jax puts before it."""
    text = str(error)
    head, mark, tail = text.rpartition("EquinoxRuntimeError: ")
    if mark:
        return tail.partition("\n\n\n----")[0].strip()
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
