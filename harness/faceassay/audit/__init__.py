"""Audit published tables: what follows from the printed numbers alone, rounding included. Renders nothing."""
