"""Counts of how hostile calls end, by door: `python -m tests.doors.count [--full] [part of
a name] ...`."""

import collections
import inspect
import sys
import time
import warnings

import jax

from tests.doors import hostile
from tests.doors.names import DOORS, find
from tests.doors.table import Door


def calls(name: str, door: Door):
    """The callable of a door, and the hostile values for each of its arguments."""
    made = door.on() if door.on is not None else None
    last = name.split(".")[-1]
    call = find(name) if made is None else getattr(made, last)
    return call, {a: list(hostile.values_for(v)) for a, v in door.arguments.items()}


def endings(name: str, full: bool = True):
    """Hostile calls of a door: argument, kind, ending. Of heavy ones that are not to be `full`,
    only those calls that must be refused before anything is compiled."""
    door = DOORS[name]()
    call, values = calls(name, door)
    usual, quick = None, door.heavy and not full
    if not quick:
        try:
            usual = jax.block_until_ready(call(**door.arguments))
        except Exception as error:
            raise AssertionError(f"{name}: the valid call fails: {error!r}") from error
    try:
        parameters = inspect.signature(call).parameters
    except (TypeError, ValueError):
        parameters = {}
    every, barred = (d.get("*", frozenset()) for d in (door.free, door.bars))
    for argument, many in values.items():
        free = door.free.get(argument, frozenset()) | every
        if argument in parameters and parameters[argument].default is None:
            free = free | {"none"}
        bars = door.bars.get(argument, frozenset()) | barred
        for value in many:
            if value.kind in free or (value.kind == "wide" and "shape" in free):
                continue
            if quick and value.kind not in hostile.NEVER | bars:
                continue
            ending = hostile.ending(call, door.arguments, argument, value, usual, free, bars)
            yield argument, value, ending


def main(parts: list[str]) -> None:
    full = "--full" in parts
    parts = [part for part in parts if part != "--full"]
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_numpy_rank_promotion", "raise")
    jax.config.update("jax_traceback_filtering", "off")
    warnings.simplefilter("ignore")
    total: collections.Counter = collections.Counter()
    for name in DOORS:
        if parts and not any(part in name for part in parts):
            continue
        own: collections.Counter = collections.Counter()
        start = time.perf_counter()
        try:
            for argument, value, ending in endings(name, full):
                own[ending.name] += 1
                if ending.name in ("silent", "obscure"):
                    print(f"  {name}({argument}) {value.kind}: {ending.name}: {ending.text}")
        except AssertionError as error:
            print(f"  BROKEN {name}: {error}"[:300])
            own["broken"] += 1
        total += own
        print(f"{name} {time.perf_counter() - start:.1f} s {dict(own)}", flush=True)
    print(f"TOTAL {sum(total.values())} {dict(total)}")


if __name__ == "__main__":
    main(sys.argv[1:])
