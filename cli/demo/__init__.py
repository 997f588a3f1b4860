"""`heed demo`: the main job on real ratings, chapter by chapter."""
