"""Paths of low loss as bands of pivots: the nudged elastic band, and AutoNEB."""
