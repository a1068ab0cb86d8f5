"""What a user brings as files instead of having it made here: recognizers (ONNX, TorchScript, trained), embeddings."""
