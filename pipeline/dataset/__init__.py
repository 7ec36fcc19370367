"""Tasks to rows, files, formats, a card, and configs for trainers."""
