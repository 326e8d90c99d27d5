"""Touches the world: the adapters behind the application's ports, and the settings that choose among them."""
