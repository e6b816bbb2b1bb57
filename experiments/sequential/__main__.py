"""`python -m experiments.sequential`"""

from . import STUDY

STUDY.main()
