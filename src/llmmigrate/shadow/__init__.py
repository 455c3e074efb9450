"""The comparison: a sample of logged requests is answered by both sides, measured, and judged with a stated risk."""
