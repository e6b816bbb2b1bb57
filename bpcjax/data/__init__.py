"""Data sets as arrays, and event recordings of a user's own. Preparing a set needs
tensorflow-datasets."""

from .cache import cache_folder as cache_folder
from .events import Events as Events, events as events
from .files import DataError as DataError
from .images import Images as Images
from .loading import load as load
from .speech import Recordings as Recordings
