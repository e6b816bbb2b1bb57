"""`python -m experiments.complete`"""

from . import STUDY

STUDY.main()
