"""Commands about feedback and tables: ingest, land, audit, quarantine, replay, maintain, windows."""
