"""`python -m experiments.convergence`"""

from . import STUDY

STUDY.main()
