"""Bad settings of these studies: module, settings, part of the message."""

from typing import Any

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("experiments.learn", {"seeds": 0}, "seeds must be at least 1"),
    ("experiments.learn", {"epochs": 0}, "epochs must be at least 1"),
    ("experiments.learn", {"width": 1}, "width must be at least 2"),
    ("experiments.learn", {"only": ("x",)}, "only: there are no rows"),
    ("experiments.learn", {"data": "x"}, "data must be one of"),
    ("experiments.learn_fashion", {"epochs": 0}, "epochs must be at least 1"),
]
