"""Locality certificate: which synapses' numbers an update depends on."""

from .certificate import (
    Certificate as Certificate,
    Dependency as Dependency,
    Elsewhere as Elsewhere,
    Post as Post,
    Pre as Pre,
    Shared as Shared,
    Synapse as Synapse,
    certificate as certificate,
)
