"""Scripts for peers, each run by the Python of its own environment; they import nothing of ours."""
