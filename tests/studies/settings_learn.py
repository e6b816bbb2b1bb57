"""Bad settings of these studies: module, settings, part of the message."""

from typing import Any

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("experiments.learn", {"seeds": 0}, "seeds must be at least 1"),
    ("experiments.learn", {"epochs": 0}, "epochs must be at least 1"),
    ("experiments.learn", {"width": 1}, "width must be at least 2"),
    ("experiments.learn", {"only": ("x",)}, "only: there are no rows"),
    ("experiments.learn", {"data": "x"}, "data must be one of"),
    ("experiments.learn_fashion", {"epochs": 0}, "epochs must be at least 1"),
    ("experiments.learn_events", {"folds": 0}, "folds must be at least 1"),
    ("experiments.learn_events", {"folds": 10}, "folds must be at least 1 and at most 9"),
    ("experiments.learn_events", {"epochs": 0}, "epochs must be at least 1"),
    ("experiments.learn_events", {"recordings": ("x",)}, "recordings must be one of"),
    ("experiments.spike_energy", {"quanta": (0.0,)}, "quanta must be more than 0"),
    ("experiments.spike_energy", {"widths": ()}, "widths must have at least one value"),
    ("experiments.spike_energy", {"widths": (1,)}, "widths must be at least 2"),
    ("experiments.spike_energy", {"epochs": 0}, "epochs must be at least 1"),
    ("experiments.adapt", {"keeps": (0.0,)}, "keeps must be more than 0 and at most 1"),
    ("experiments.adapt", {"keeps": ()}, "keeps must have at least one value"),
    ("experiments.adapt", {"hazard": 1.0}, "hazard must be more than 0 and less than 1"),
    ("experiments.adapt", {"streams": 0}, "streams must be at least 1"),
    ("experiments.adapt", {"events": ("dvs",)}, "events must be one of nmnist, spoken_digits"),
    ("experiments.adapt_anytime", {"seeds": 5}, "seeds must be at least 1 and at most 4"),
    ("experiments.adapt_anytime", {"events": ("dvs",)}, "events must be one of digits, nmnist"),
    ("experiments.convergence", {"seeds": 1}, "seeds must be at least 2"),
    ("experiments.convergence", {"quanta": (0.0,)}, "quanta must be more than 0"),
    ("experiments.calibration", {"draws": 0}, "draws must be at least 1"),
    ("experiments.calibration", {"learned": (20,)}, "learned must be at least 128"),
    ("experiments.representations", {"seeds": 0}, "seeds must be at least 1"),
    ("experiments.representations", {"features": 1}, "features must be at least 2"),
    ("experiments.representations", {"drawn": 0}, "drawn must be at least 8"),
]
