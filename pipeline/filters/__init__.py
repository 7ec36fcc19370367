"""A filter looks at a task or an instance and returns a reason to reject it, or None."""
