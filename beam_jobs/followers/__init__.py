"""Followers of commits: the online store and live windows."""
