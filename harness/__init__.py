"""Measure a device: shapes in, landscape cube out. Knows hardware, knows no statistics."""
