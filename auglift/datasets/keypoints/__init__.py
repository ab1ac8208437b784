"""2D keypoints that other tools wrote → people frame by frame; one file per format."""
