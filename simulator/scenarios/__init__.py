"""The built-in scenarios, as TOML files."""
