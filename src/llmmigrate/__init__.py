"""llmmigrate: what LLM traffic costs, what it would cost elsewhere, and how to get there and back."""

__version__ = "0.1.0"
