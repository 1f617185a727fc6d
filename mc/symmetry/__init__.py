"""What of a network may be renumbered, and networks renumbered so that they lie close together."""
