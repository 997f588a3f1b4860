"""The loop by stage: landing, features, checks, learning, publishing; and what starts it."""
