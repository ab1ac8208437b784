"""Pictures → what a camera sees: people, 2D poses, depth around the joints (ONNX Runtime)."""
