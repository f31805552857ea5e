"""Normalise what was accepted, deliver what was settled, and tell the operator what is wrong."""
