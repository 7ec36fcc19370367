"""What the data was worth: controls, candidates, the table."""
