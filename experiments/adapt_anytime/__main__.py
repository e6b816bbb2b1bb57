"""`python -m experiments.adapt_anytime`"""

from . import STUDY

STUDY.main()
