"""What landing is measured against."""
