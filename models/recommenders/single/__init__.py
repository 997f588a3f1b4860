"""Recommenders of one idea each: parts of the hybrid, and for comparison with it."""
