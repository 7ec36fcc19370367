"""TOML to stages and engines: read, explained, as JSON Schema."""
