"""Raw messages: durable, replayable, each in exactly one state."""
