"""Learning: recommenders, evaluation, the gate, the published bundle."""
