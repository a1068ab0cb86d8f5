"""Predictors of attributes: identity-irrelevant properties of face images, measured, estimated or read from a table."""
