"""Texts with planted personal data, whose right redaction is known."""
