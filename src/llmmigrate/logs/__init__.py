"""Any log file becomes calls: bytes → records → calls → a usage profile, with every line accounted for."""
