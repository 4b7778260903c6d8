"""The gap queue at work: what a strange code could mean, what a map would change, deriving anew."""
