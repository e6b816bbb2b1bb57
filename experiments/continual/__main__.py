"""`python -m experiments.continual`"""

from . import STUDY

STUDY.main()
