"""Likelihoods p(x|z), one in each file; a module's name is the likelihood's name."""
