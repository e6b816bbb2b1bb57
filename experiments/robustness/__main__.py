"""`python -m experiments.robustness`"""

from . import STUDY

STUDY.main()
