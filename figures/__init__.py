"""Pictures made from `results/` alone: `python -m figures` makes all."""
