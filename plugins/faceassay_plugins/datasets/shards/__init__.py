"""Tar shards in the layout of webdataset: our own, with an index beside them, and those of others."""
