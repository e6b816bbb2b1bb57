"""`python -m experiments.convergence`"""

from . import main

main()
