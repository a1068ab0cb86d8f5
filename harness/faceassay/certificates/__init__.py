"""Certificates: stages run a second time from their stored inputs, and compared with what the store holds."""
