"""Which events landed before: known ids per partition, and the latest undated statements."""
