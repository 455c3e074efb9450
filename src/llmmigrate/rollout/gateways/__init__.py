"""Gateways, one file each, found by name: `--to <name>`. The contract is `rollout.Gateway`."""
