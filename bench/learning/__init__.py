"""Benches of what is learned: the lists that are really served."""
