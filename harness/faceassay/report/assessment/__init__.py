"""Render the dataset quality report: Markdown, CSV and pictures."""
