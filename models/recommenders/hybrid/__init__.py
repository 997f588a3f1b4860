"""One list from several recommenders: taste, what is wanted lately, and what is likely to disappoint."""
