"""What processes do together beside collectives; for a group of one process."""
