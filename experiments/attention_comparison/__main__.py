"""`python -m experiments.attention_comparison`"""

from . import STUDY

STUDY.main()
