"""Pure functions on what customers write: no lake, no log, no clock."""
