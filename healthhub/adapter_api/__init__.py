"""What an adapter must offer, and what it may see of the hub."""
