"""Recognizers that come with faceassay, and the margin losses they share."""
