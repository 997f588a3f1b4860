"""Benches of the HTTP server: the loop from event to list, bursts, and the load client."""
