"""`python -m experiments.autoencode`"""

from . import STUDY

STUDY.main()
