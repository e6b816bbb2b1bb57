"""Scripts that each answer one question: `python -m experiments.NAME`, results in `results/`."""


class InputError(ValueError):
    """What a user handed to a script is wrong: one line that names the argument and the remedy."""
