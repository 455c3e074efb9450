"""Records what a command or an SDK calls, as it happens: a loopback pass-through and an httpx transport."""
