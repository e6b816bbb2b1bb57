"""`python -m experiments.recall`"""

from . import STUDY

STUDY.main()
