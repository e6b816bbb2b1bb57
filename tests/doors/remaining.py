"""Hostile calls that do not end well yet: `argument kind` of each door. This list only shrinks."""

REMAINING: dict[str, set[str]] = {}
