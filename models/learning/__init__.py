"""The steps of learning as the loop calls them: load, compare, fit the challenger, judge it, publish."""
