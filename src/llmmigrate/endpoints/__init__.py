"""Talking to endpoints; nothing else opens connections."""
