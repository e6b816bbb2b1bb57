"""`python -m experiments.capacity`"""

from . import main

main()
