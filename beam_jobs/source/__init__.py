"""Reading the feedback log: to its end, or for ever, from the positions that the lake holds."""
