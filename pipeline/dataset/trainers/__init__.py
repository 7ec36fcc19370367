"""Configs that tune on a dataset with other trainers, a file each."""
