"""Code that nobody has read is run here, where it reaches nothing: no network, no files, no other process."""
