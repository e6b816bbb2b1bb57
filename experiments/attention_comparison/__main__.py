"""`python -m experiments.attention_comparison`"""

from . import main

main()
