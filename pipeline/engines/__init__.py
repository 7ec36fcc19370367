"""Where completions come from: requests in, completions out, in the same order."""
