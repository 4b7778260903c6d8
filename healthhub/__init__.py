"""healthhub: the hub that ties a city's hospitals, clinics and doctors together."""

__version__ = "0.1.0"
