"""The client half of a reconnect storm, sans-IO: decisions as functions of now, chance and state."""
