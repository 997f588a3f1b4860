"""The online store: what serving must know now, as small ports and their implementations."""
