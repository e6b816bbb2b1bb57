"""`python -m experiments.recall`"""

from . import main

main()
