"""The fields of an event: their types, bounds and forms."""
