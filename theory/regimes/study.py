"""The studies of theory in the common frame: their results have a folder of their own."""

import dataclasses
from typing import ClassVar

from experiments.common import study
from experiments.common.study import Parts as Parts, main as main


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """What every study of theory can be told."""

    FOLDER: ClassVar[str] = "theory"
