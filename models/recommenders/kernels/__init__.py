"""What recommenders compute, as pure functions on arrays: no tables, no Spark, no clock; seeds are arguments."""
