"""Bursts of requests with pauses between them: the server with short-lived threads, and the client."""
