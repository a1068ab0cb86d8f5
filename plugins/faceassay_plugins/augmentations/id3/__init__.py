"""Own ID3: identity embeddings around anchors on the sphere, and images drawn towards them through a recognizer."""
