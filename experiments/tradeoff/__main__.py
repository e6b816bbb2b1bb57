"""`python -m experiments.tradeoff`"""

from . import STUDY

STUDY.main()
