"""Actions of agents anywhere: they ask here first, and are told once that they may."""
