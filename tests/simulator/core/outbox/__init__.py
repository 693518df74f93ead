"""The outbox: what it promises, and that it keeps it whatever happens."""
