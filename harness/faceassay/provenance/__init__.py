"""Where artifacts come from: what made one, what sets two apart, why a stage of a matrix is to be run again."""
