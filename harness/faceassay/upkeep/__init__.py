"""Keeping a store in order: what it holds, what is sound, what may go, and moving it between machines."""
