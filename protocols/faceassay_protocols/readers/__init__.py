"""Readers of benchmark data as it is found on disk: packs of pairs, templates, and probes with a gallery."""
