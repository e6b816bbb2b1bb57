"""Theory that the library is tested against: closed forms, and studies of regimes."""
