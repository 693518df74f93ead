"""Peers of every kind: good ones get what RFC 6455 promises, bad ones no more than a limit."""
