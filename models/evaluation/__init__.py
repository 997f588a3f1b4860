"""How good recommenders are: splits, metrics, comparison, gate."""
