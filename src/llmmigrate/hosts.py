"""Web addresses, and which hosts are this machine."""

from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether a host can be reached from this machine alone: `localhost`, or a loopback address.

    An IPv6 address may have its brackets. A name that only looks like one, such as `127.0.0.1.example.com`, is none.
    """
    from ipaddress import ip_address

    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def leads_to_loopback(url: str) -> bool:
    """Whether a URL leads to this machine and nowhere else; False for what is no URL."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def is_web_address(text: str) -> bool:
    """Whether a text is a URL of HTTP with a host."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
