"""The tables that the loop builds: one module per table."""
