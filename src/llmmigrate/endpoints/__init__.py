"""Requests to other machines. Only this room and `recording` import httpx."""
