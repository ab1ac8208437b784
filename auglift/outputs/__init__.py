"""What people look at or take away: overlays, viewers, TRC, BVH, reports."""
