"""`python -m experiments.spike_times`"""

from . import STUDY

STUDY.main()
