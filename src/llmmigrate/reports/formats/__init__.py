"""Report formats, one file each, found by name: `--format <name>`. The contract is `reports.ReportFormat`."""
