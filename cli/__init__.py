"""One command line over all of Heed."""
