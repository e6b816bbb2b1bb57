"""`python -m experiments.reinforce`"""

from . import STUDY

STUDY.main()
