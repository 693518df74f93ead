"""The client half of a reconnect storm, sans-IO: decisions made of now, chance and state."""
