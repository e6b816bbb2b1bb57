"""Validation of arguments: each error names the argument, says what it is and what it must be.

What is traced is checked by shape and type alone. What is known goes through numpy, which compiles
nothing.
"""

from .._arrays import at_least_single as at_least_single, numbers_of as numbers_of
from .numbers import (
    as_real as as_real,
    count as count,
    counts as counts,
    describe as describe,
    floating as floating,
    indices as indices,
    integer as integer,
    mask as mask,
    number as number,
    plain as plain,
    require as require,
    rising as rising,
    scalar as scalar,
    sizes as sizes,
    state as state,
)
from .objects import (
    flag as flag,
    function as function,
    instance as instance,
    key as key,
    sequence as sequence,
    split_key as split_key,
)
from .times import check_times as check_times, unresolved as unresolved
