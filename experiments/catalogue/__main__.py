"""`python -m experiments.catalogue`"""

from . import STUDY

STUDY.main()
