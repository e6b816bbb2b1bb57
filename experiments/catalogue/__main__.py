"""`python -m experiments.catalogue`"""

from . import main

main()
