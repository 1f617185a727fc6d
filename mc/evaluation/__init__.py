"""What networks are worth: metrics at points of weight space, along paths, and on planes."""
