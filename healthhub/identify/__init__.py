"""Who is who: identity numbers, person links."""
