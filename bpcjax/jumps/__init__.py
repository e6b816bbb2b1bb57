"""Jump processes, and those on a lattice: spikes that descend an energy, one at a time or in
parallel."""

from .lattice import (
    Arrhenius as Arrhenius,
    Descent as Descent,
    Glauber as Glauber,
    SpikeDescent as SpikeDescent,
    descend as descend,
)
from .parallel import (
    Parallel as Parallel,
    Thinned as Thinned,
    descend_in_parallel as descend_in_parallel,
)
from .path import AbstractJumps as AbstractJumps, JumpPath as JumpPath, jump_path as jump_path
