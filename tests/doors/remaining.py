"""Hostile calls that do not end well yet: `argument kind` of each door. This list only shrinks."""

REMAINING: dict[str, set[str]] = {
    # the sweep, whose checks are with its stores
    "bpcjax.population": {"run string", "run none", "run object"},
    "bpcjax.sweep": {
        "run string", "run none", "run object", "axes string", "axes object", "axes nan",
        "chunk scalar", "chunk string", "chunk object", "chunk fraction", "chunk complex",
        "chunk shape",
    },
    # data sets, whose checks are with their files
    "data.events": {
        "times none", "times object", "channels none", "channels object", "shape shape",
    },
    # arrays of strings are caught by JAX, in its words
    "learning.certify_step": {"args strings"},
}  # fmt: skip
