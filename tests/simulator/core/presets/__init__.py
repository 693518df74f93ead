"""The presets against independent statements of their rules."""
