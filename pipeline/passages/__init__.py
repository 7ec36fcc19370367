"""A user's own texts, to the passages that tasks are made from."""
