"""Benches of the tables: maintenance, disk space, and rebuilding the online store from them."""
