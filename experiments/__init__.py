"""Scripts that each answer one question: `python -m experiments.NAME`, results in `results/`."""
