"""What the stages do: of each a file of its name, with `run(job) -> flat dict of metrics`.

All of it imports TensorFlow, so nothing is imported from here before a run is at work.
"""
