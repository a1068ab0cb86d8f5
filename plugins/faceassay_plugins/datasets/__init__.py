"""Datasets: identity-labelled face images, as files in folders. What a set is selected or mixed into is not here."""
