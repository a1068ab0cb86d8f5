"""Check the claims of papers against what a store holds; every verdict is at the scale of the matrix."""
