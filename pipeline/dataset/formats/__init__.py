"""The formats of a dataset, a file each: which columns it has, how a row is written and read back, who trains on it."""
