"""Learning by spikes, of clothes (`results/learn_fashion.zarr`)."""

from .learn import draw as draw

NAME = "learn_fashion"
COMMAND = "python -m experiments.learn_fashion"
