"""Structured logs of functions."""
