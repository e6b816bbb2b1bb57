"""`python -m experiments.tradeoff`"""

from . import main

main()
