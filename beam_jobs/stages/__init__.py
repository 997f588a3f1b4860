"""The stages of landing: what happens to a batch between the log and the commit."""
