"""ID3: new identities around anchors on the sphere of a recognizer, sampled under their embeddings and attributes."""
