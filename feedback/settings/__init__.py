"""The settings of a Heed home, and its paths."""
