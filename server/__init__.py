"""The HTTP app that composes gateway and serving, and its process."""
