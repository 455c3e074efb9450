"""What the tests of the comparison share: loopback may be reached, nothing else."""

from tests.loopback import no_network

__all__ = ["no_network"]
