"""Streaming jobs: landing the feedback log in Delta."""
