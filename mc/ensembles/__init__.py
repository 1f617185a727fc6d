"""Ensembles of networks: fast geometric ensembling, averages of weights, SWAG, predictive means."""
