"""The way in: HTTP and files."""
