"""A capture studio in software: bodies, motions, cameras, renderer, all with known truth."""
