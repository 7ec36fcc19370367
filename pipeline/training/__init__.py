"""Dataset rows in, a tuned model out."""
