"""Pictures of the studies in `theory.regimes`."""
