"""`python -m experiments.adapt`"""

from . import STUDY

STUDY.main()
