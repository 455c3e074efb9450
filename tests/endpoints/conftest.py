"""What the tests of endpoints share: loopback may be reached, nothing else."""

from tests.loopback import no_network

__all__ = ["no_network"]
