"""`python -m experiments.stream`"""

from . import STUDY

STUDY.main()
