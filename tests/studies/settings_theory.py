"""Bad settings of the studies of theory, AdEx sweep, balanced networks and catalogue."""

from math import inf, nan

ADEX, IZHIKEVICH = "theory.regimes.adex", "theory.regimes.izhikevich"
NETWORK, RATES = "theory.regimes.balanced_network", "theory.regimes.firing_rates"
MEAN_FIELD, MODERN = "theory.regimes.mean_field_memory", "theory.regimes.modern_memory"
SWEEP, BALANCED = "experiments.adex_sweep", "experiments.balanced"
CATALOGUE = "experiments.catalogue"

CASES = [
    (ADEX, {"settle": 1600.0}, "settle must lie in 0 ... t1 = 1600.0"),
    (ADEX, {"dt": 0.3}, "dt must be more than 0 and at most 0.2"),
    (IZHIKEVICH, {"lines": 1}, "lines must be at least 2"),
    (IZHIKEVICH, {"settle": 1600.0}, "settle must lie in 0 ... t1 = 1600.0"),
    (NETWORK, {"neurons": 10}, "neurons must be at least 50, got 10"),
    (NETWORK, {"drives": 1}, "drives must be at least 2"),
    (NETWORK, {"t1": inf}, "t1 must be at least 50"),
    (NETWORK, {"settle": -1.0}, "settle must be at least 0"),
    (NETWORK, {"seed": -1}, "seed must be at least 0"),
    (NETWORK, {"dt": 0.5}, "dt must be more than 0 and at most 0.2"),
    (RATES, {"points": 2}, "points must be at least 3, got 2"),
    (RATES, {"neurons": 1}, "neurons must be at least 2"),
    (RATES, {"seed": -1}, "seed must be at least 0"),
    (RATES, {"dt": nan}, "dt must be more than 0"),
    (RATES, {"t1": inf}, "t1 must be finite"),
    (RATES, {"t1": 0.5}, "at least ten steps"),
    (MEAN_FIELD, {"rates": 1}, "rates must be at least 2"),
    (MEAN_FIELD, {"paths": 0}, "paths must be at least 1"),
    (MEAN_FIELD, {"copies": 1}, "copies must be at least 2"),
    (MEAN_FIELD, {"step": 0.0}, "step must be more than 0 and at most 0.2"),
    (MEAN_FIELD, {"dt": 1.0}, "dt must be more than 0 and at most 0.5"),
    (MEAN_FIELD, {"temperatures": (0.05,)}, "temperatures must be two or more"),
    (MEAN_FIELD, {"temperatures": (0.05, 0.2)}, "temperatures must be at least 0.02 and less than"),
    (MODERN, {"patterns": 3}, "patterns must be at least 4 and at most 8"),
    (MODERN, {"betas": 1}, "betas must be at least 2"),
    (MODERN, {"guesses": 0}, "guesses must be at least 1"),
    (MODERN, {"loop": 2}, "loop must be at least 10"),
    (MODERN, {"paths": 0}, "paths must be at least 1"),
    (MODERN, {"step": 0.0}, "step must be more than 0"),
    (MODERN, {"settle": 0}, "settle must be more than 0"),
    (SWEEP, {"i_min": nan}, "i_min must be finite"),
    (SWEEP, {"currents": 0}, "currents must be at least 1"),
    (SWEEP, {"dt": 0.0}, "dt must be more than 0"),
    (SWEEP, {"dt": 1.0}, "dt must be more than 0 and at most 0.5"),
    (SWEEP, {"settle": 1000.0}, "settle must lie in 0 ... t1 = 1000.0"),
    (SWEEP, {"chunk": 0}, "chunk must be at least 1"),
    (BALANCED, {"cuba": 10}, "cuba must be at least 100, got 10"),
    (BALANCED, {"brunel": 0}, "brunel must be at least 100"),
    (BALANCED, {"shown": 0}, "shown must be at least 5"),
    (BALANCED, {"seed": -1}, "seed must be at least 0"),
    (BALANCED, {"dt": 0.0}, "dt must be more than 0"),
    (BALANCED, {"dt": nan}, "dt must be more than 0"),
    (BALANCED, {"t1": inf}, "t1 must be at least 1"),
    (BALANCED, {"settle": -1.0}, "settle must be at least 0"),
    (CATALOGUE, {"drives": 1}, "drives must be at least 2"),
    (CATALOGUE, {"dt": 0.0}, "dt must be more than 0"),
    (CATALOGUE, {"dt": nan}, "dt must be more than 0"),
    (CATALOGUE, {"settle": 1000.0}, "settle must lie in 0 ... t1 = 1000.0"),
    (CATALOGUE, {"t1": inf}, "t1 must be finite"),
]
