"""The feedback log on Kafka."""
