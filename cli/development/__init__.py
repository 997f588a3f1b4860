"""Commands for developers: tests, checks, benchmarks, locks, generated pages."""
