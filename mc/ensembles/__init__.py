"""Ensembles of networks: fast geometric ensembling, averages of weights, predictive means."""
