"""What a person types: arguments, commands, progress."""
