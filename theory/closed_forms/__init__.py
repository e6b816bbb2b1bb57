"""Closed forms and independent oracles in numpy; nothing here imports bpcjax."""
