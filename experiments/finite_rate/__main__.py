"""`python -m experiments.finite_rate`"""

from . import STUDY

STUDY.main()
