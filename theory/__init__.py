"""Theory that the library is held to."""
