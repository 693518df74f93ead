"""What people look at: figures and tables drawn from recorded results, never from an engine."""
