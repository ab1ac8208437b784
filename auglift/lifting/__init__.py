"""The pure-PyTorch core: columns → features → lifter → 3D poses."""
