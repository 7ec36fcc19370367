"""Prompts out, answers in: templates, demos, and parsers of lists, examples and labels."""
