class Unsupported(Exception):
    """Something in the PTX that the translator does not know."""
