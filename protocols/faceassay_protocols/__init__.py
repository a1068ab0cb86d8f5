"""The bundled evaluation protocols and the metrics they share. Reads no model and trains nothing."""
