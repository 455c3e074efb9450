"""A policy held against the difference of two profiles: did this change make it dearer."""
