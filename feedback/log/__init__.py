"""The feedback log: its port, and its two implementations, SQLite and Kafka."""
