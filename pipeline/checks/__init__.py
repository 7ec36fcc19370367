"""Whether an answer is right: it passes, or why not; one check, one file."""
