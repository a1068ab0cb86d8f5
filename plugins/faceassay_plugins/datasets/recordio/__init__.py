"""RecordIO: the training sets that MXNet wrote (`.rec`, `.idx`, `property`), read without MXNet."""
