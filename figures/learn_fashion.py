"""Learning by spikes, of clothes (`results/learn_fashion.zarr`)."""

from .learn import draw as draw
