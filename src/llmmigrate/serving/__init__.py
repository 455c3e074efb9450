"""Serving a model oneself: what accelerators there are, what fits on them, how to launch it, what it costs."""
