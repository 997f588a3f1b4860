"""What good data looks like, as Great Expectations suites in code."""
