"""Every Delta table, declared once."""
