"""Runnable studies of regimes: a batched sweep through the engine, and the closed form over it.

`python -m theory.regimes.NAME [--quick]` runs one, saves `results/theory/NAME.zarr` and draws it.
"""
