"""What studies share."""


class InputError(ValueError):
    """What a user handed to a script is wrong: one line that names the argument and the remedy."""
