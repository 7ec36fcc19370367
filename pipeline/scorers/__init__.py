"""A scorer is a function that gives a task a number; one that needs likelihoods of texts asks for them."""
