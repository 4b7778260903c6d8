"""The whole way in: convert, identify, store."""
