"""The lifters, one architecture per file; constructor arguments are config keys."""
