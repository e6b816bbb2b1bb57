"""`python -m experiments.autoencode`"""

from . import main

main()
