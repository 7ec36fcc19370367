"""A run: a list of stages in a folder, with nothing lost and nothing done twice."""
