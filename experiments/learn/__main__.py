"""`python -m experiments.learn`"""

from . import STUDY

STUDY.main()
