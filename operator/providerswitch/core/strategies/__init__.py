"""How the best of several providers that may serve is found: one file for each strategy, one table of all."""
