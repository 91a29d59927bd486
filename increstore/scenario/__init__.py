"""Scenario files: what they may say, and the director that carries it out in every mode."""
