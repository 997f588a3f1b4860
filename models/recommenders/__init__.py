"""Recommenders: fitted to interactions, they list items for a history."""
