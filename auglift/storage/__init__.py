"""What touches the disk: tables, workspace, video, BVH, the model zoo, ONNX sessions."""
