"""One module a framework, imported by who uses it: `from paraph.adapters import pydantic_ai`."""
