"""MLflow: runs, registry, champion, retention."""
