"""A lost online store that is rebuilt: the process that does it."""
