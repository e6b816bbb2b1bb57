"""Refusal of input for which a closed form does not hold."""

import numpy as np


def require(holds, what):
    """Raise a `ValueError` that says `what` must be, unless it holds for every entry.

    Write the condition so that a NaN makes it false.
    """
    if not np.all(holds):
        raise ValueError(what)
