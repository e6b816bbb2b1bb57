"""`python -m experiments.online`"""

from . import STUDY

STUDY.main()
