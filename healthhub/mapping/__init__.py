"""The mapping language: mappings/ loaded, checked, compiled to Python, run and explained."""
