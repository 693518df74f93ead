"""A deliberately limited WebSocket server that restarts on schedule; it knows no simulator."""
