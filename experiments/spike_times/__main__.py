"""`python -m experiments.spike_times`"""

from . import main

main()
