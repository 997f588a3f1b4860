"""Live windows: what is being said and done, by item, section and all, over 10 seconds, a minute and an hour."""
