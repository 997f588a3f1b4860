"""The way out: recommendations over HTTP."""
