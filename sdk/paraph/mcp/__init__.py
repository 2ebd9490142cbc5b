"""The Model Context Protocol: its tools on standard streams, and a proxy that asks people first."""
