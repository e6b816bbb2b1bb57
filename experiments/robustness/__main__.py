"""`python -m experiments.robustness`"""

from . import main

main()
