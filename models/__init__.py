"""Fit additive mechanism models to landscape cubes. Knows terms and estimators, asks no questions."""
