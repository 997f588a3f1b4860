"""What every process of Heed shares: logs, trace context, back-off, connections."""
