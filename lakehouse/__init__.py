"""The Delta lakehouse: declared tables, exactly-once commits, audit, and the online projection."""
