"""The use cases, one module each. They wire the parts together and decide nothing."""
