"""`python -m experiments.reinforce`"""

from . import main

main()
