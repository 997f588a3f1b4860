"""What good rows of each table look like: one module per table."""
