"""The check of a door, which two files of tests share, so that two workers take them."""

import warnings

import jax

from tests.doors.count import endings
from tests.doors.remaining import REMAINING


def faults(name: str, full: bool) -> dict[str, str]:
    """Hostile calls of a door that end badly, and are not known to: argument and kind, and how."""
    before = jax.config.jax_traceback_filtering  # pyright: ignore[reportAttributeAccessIssue]
    # the harness reads where an error was raised: in the package, or further down
    jax.config.update("jax_traceback_filtering", "off")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numpy, at the numbers that are put in
            found = {
                f"{argument} {value.kind}": f"{ending.name}: {ending.text}"
                for argument, value, ending in endings(name, full)
                if ending.name in ("silent", "obscure")
            }
    finally:
        jax.config.update("jax_traceback_filtering", before)
    return {k: v for k, v in found.items() if k not in REMAINING.get(name, set())}
