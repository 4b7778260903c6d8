"""Bytes in, durable, acknowledgement out."""
